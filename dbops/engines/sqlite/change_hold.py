"""One change at a time on a SQLite file: a lock beside it, held between transactions too.

SQLite keeps writers apart within a transaction only. The lock is on a file of its own: to open and
close the database a second time would drop the locks that SQLite itself has on it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dbops.errors import Refused, Unreachable

MARK: Final = ".dbops-change.lock"


@contextmanager
def held(name: str, path: Path) -> Iterator[None]:
    """Nobody else holds the file for a change while the context lasts.

    Raises Unreachable `change-running`; Refused `database-read-only` where the directory takes no
    file. A process that is killed leaves an empty file, and no lock.
    """
    real = Path(os.path.realpath(path))
    lock = real.with_name(real.name + MARK)
    descriptor = _locked(name, lock)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is locked: who waits for it looks again
        os.close(descriptor)


def _locked(name: str, lock: Path) -> int:
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as failure:
            raise _unusable(name, lock, failure) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise _running(name, lock) from None
        if _is_named(descriptor, lock):
            return descriptor
        os.close(descriptor)  # its holder has removed it meanwhile


def _is_named(descriptor: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.lstat())
    except FileNotFoundError:
        return False


def _running(name: str, lock: Path) -> Unreachable:
    return Unreachable(
        "change-running",
        f"another change is running on {name}",
        hint=f"wait for it, or see who it is: fuser -v {lock}",
    )


def _unusable(name: str, lock: Path, failure: OSError) -> Refused | Unreachable:
    if lock.exists():  # another account's
        return _running(name, lock)
    reason = errno.errorcode.get(failure.errno or 0, "unknown")
    return Refused(
        "database-read-only",
        f"{name}: no lock can be made in {lock.parent} ({reason})",
        hint=f"give this account write access to that directory: ls -ld {lock.parent}",
    )
