"""Files and directories that are on the disk when the call returns; all raise OSError."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from dbops.publish import sync_directory


def make_directory(path: Path) -> None:
    """Afterwards the directory is there; one made anew is for this account only, and durable."""
    if path.is_dir():
        return
    make_directory(path.parent)
    with suppress(FileExistsError):  # another process was quicker
        path.mkdir(0o700)
    sync_directory(path.parent)


def append_durably(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(path: Path, data: bytes) -> None:
    """Afterwards the file holds the data; a crash leaves the old or the new, whole."""
    fresh = path.with_name(f"{path.name}.new")
    flags = os.O_WRONLY | os.O_TRUNC | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(fresh, flags, 0o600)
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    sync_directory(path.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes: a disk that gets full takes a part first, and then raises."""
    while data:
        data = data[os.write(descriptor, data) :]


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
