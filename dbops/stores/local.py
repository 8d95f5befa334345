"""A repository in a directory: write-once, fsynced, put-if-absent.

An object is written to `tmp/`, fsynced, and then given its name, which fails where the name is
taken: two writers cannot both win.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dbops.errors import DbopsError, Failed, NotFound, Unreachable
from dbops.locks import claim_if_dead, create_locked
from dbops.publish import give_name, sync_directory
from dbops.repository.ports import ObjectExists, Spool, StoredObject

if TYPE_CHECKING:
    from typing_extensions import Buffer

_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]*(/[a-z0-9_][a-z0-9._-]*)*")
FILE_MODE = 0o640
DIRECTORY_MODE = 0o750


class LocalSpool:
    """A file in `tmp/`, locked by its writer so that a sweep can tell the living from the dead."""

    def __init__(self, directory: Path, title: str) -> None:
        self._title = title
        self.path = directory / secrets.token_hex(16)
        with translated(title):
            descriptor = create_locked(self.path, FILE_MODE)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._size = 0

    @property
    def size(self) -> int:
        return self._size

    def write(self, block: bytes, /) -> int:
        with translated(self._title):
            view = memoryview(block)
            while view:
                view = view[self._file.write(view) or 0 :]
        self._size += len(block)
        return len(block)

    def make_durable(self) -> None:
        with translated(self._title):
            os.fsync(self._file.fileno())

    def discard(self) -> None:
        with translated(self._title):
            try:
                self.path.unlink(missing_ok=True)
            finally:
                self._file.close()


class _ObjectFile(io.FileIO):
    """A file whose disk may fail half-way."""

    def __init__(self, descriptor: int, title: str) -> None:
        self._title = title
        try:
            with translated(title):
                super().__init__(descriptor, "rb")
        except DbopsError:
            os.close(descriptor)
            raise

    def readinto(self, buffer: Buffer, /) -> int | None:
        with translated(self._title):
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with translated(self._title):
            return super().readall()


class LocalStore:
    """Objects as files below one directory."""

    def __init__(self, root: Path, title: str) -> None:
        self._root = root
        self._title = title
        self._temporary = root / "tmp"

    @property
    def title(self) -> str:
        return self._title

    @property
    def root(self) -> Path:
        return self._root

    def spool(self) -> LocalSpool:
        with translated(self._title):
            _make_directory(self._temporary)
        return LocalSpool(self._temporary, self._title)

    def put(self, name: str, spool: Spool) -> None:
        if not isinstance(spool, LocalSpool):
            raise TypeError("a spool goes back to the store that made it")
        target = self._path(name)
        try:
            spool.make_durable()
            with translated(self._title):
                _make_directory(target.parent)
                _claim(spool.path, target, name)
                sync_directory(target.parent)
        finally:
            spool.discard()

    def open(self, name: str) -> BinaryIO:
        path = self._path(name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound(
                "object-missing",
                f"{name} is missing from {self._title}",
                hint="dbops backup verify --all --level stored names everything that is missing",
            ) from None
        except OSError as failure:
            raise _fault(failure, self._title) from None
        return io.BufferedReader(_ObjectFile(descriptor, self._title))

    def find(self, name: str) -> StoredObject | None:
        try:
            status = self._path(name).lstat()
            return _describe(name, status) if stat.S_ISREG(status.st_mode) else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as failure:
            raise _fault(failure, self._title) from None

    def list(self, prefix: str) -> Iterator[StoredObject]:
        with translated(self._title):
            yield from _walk(self._path(prefix), prefix)

    def delete(self, name: str) -> None:
        path = self._path(name)
        with translated(self._title):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_directory(path.parent)

    def free_bytes(self) -> int | None:
        place = self._root
        with translated(self._title):
            while not place.exists():
                place = place.parent
            return shutil.disk_usage(place).free

    def sweep(self) -> int:
        with translated(self._title):
            if not self._temporary.is_dir():
                return 0
            return sum(_remove_if_dead(path) for path in list(self._temporary.iterdir()))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"not an object name: {name!r}")
        return self._root / name


def _claim(source: Path, target: Path, name: str) -> None:
    """Give the file its name, unless the name is taken."""
    try:
        give_name(source, target)
    except FileExistsError:
        raise ObjectExists(name) from None


def _remove_if_dead(path: Path) -> bool:
    with claim_if_dead(path) as dead:
        if dead:
            path.unlink(missing_ok=True)
        return dead


def _walk(place: Path, prefix: str) -> Iterator[StoredObject]:
    if not place.is_dir():
        return
    for entry in sorted(os.scandir(place), key=lambda entry: entry.name):
        name = f"{prefix}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), name)
        elif entry.is_file(follow_symlinks=False) and _NAME.fullmatch(name):
            # An expiry may delete what was just listed.
            with suppress(FileNotFoundError):
                yield _describe(name, entry.stat(follow_symlinks=False))


def _describe(name: str, status: os.stat_result) -> StoredObject:
    return StoredObject(name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _make_directory(path: Path) -> None:
    """Create the directory and its parents, and make each new entry durable in its parent."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    sync_directory(path.parent)


@contextmanager
def translated(title: str) -> Iterator[None]:
    """Turn what the operating system says into what the user can act upon."""
    try:
        yield
    except OSError as failure:
        raise _fault(failure, title) from None


def _fault(failure: OSError, title: str) -> DbopsError:
    if failure.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Failed(
            "no-space",
            f"{title} has no space left",
            hint="free some space, or run: dbops backup expire --dry-run",
        )
    reason = errno.errorcode.get(failure.errno or 0, "unknown")
    return Unreachable(
        "store-unreachable",
        f"{title} cannot be used ({reason})",
        hint="check that it is mounted and that this account may write there: dbops doctor",
    )
