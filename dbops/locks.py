"""Locks that die with their process: what is locked is alive, what is not may be swept.

`flock` belongs to the open file, and the kernel releases it however the process ends; a process
number in a file would not be. Not for network shares whose locks are not kept.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def create_locked(path: Path, mode: int) -> int:
    """Afterwards the new file exists and is locked; returns its descriptor, open for writing.

    Raises OSError, FileExistsError among them. A sweep that comes between creation and lock takes
    the file for dead and removes it; then it is made again.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


@contextmanager
def claim_if_dead(path: Path) -> Iterator[bool]:
    """True, and the lock held, where whoever locked the file or directory is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        yield _try_lock(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """True while this process holds the lock file; False where another does. Creates the file."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _try_lock(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def private_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A new directory below `parent` for this account alone, gone with its files afterwards.

    Killed in between, it leaves what `sweep_directories` removes. Raises OSError.
    """
    place = parent / f"{prefix}-{secrets.token_hex(8)}"
    # Outside the directory, so that whoever removes it removes the lock last.
    lock = place.with_suffix(".lock")
    descriptor = create_locked(lock, 0o600)
    try:
        place.mkdir(mode=0o700)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def sweep_directories(parent: Path) -> int:
    """Afterwards no private directory of a dead process is left; returns how many there were."""
    swept = 0
    for lock in parent.glob("*.lock"):
        with claim_if_dead(lock) as dead:
            if dead:
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
                swept += 1
    return swept


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
