"""Private files beside a database: a backup's copy, a restore's unfinished file.

Each has a lock beside it that its maker holds, so that what a killed process left is known for
dead and removed by the next one: it is plaintext.
"""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbops.locks import claim_if_dead, create_locked


@contextmanager
def private_name(path: Path, mark: str) -> Iterator[Path]:
    """A fresh name beside `path`; whatever stands there is gone when the context ends.

    Raises OSError where the directory takes no file.
    """
    sweep(path, mark)
    private = path.with_name(f"{path.name}{mark}{secrets.token_hex(8)}")
    lock = private.with_name(private.name + ".lock")
    descriptor: int | None = None
    try:  # from before the lock is there: a stop may come the moment that it is
        descriptor = create_locked(lock, 0o600)
        yield private
    finally:
        private.unlink(missing_ok=True)
        lock.unlink(missing_ok=True)
        if descriptor is not None:
            os.close(descriptor)


def sweep(path: Path, mark: str) -> None:
    """Afterwards nothing with this mark is left of processes that are gone."""
    for lock in path.parent.glob(f"{glob.escape(path.name)}{mark}*.lock"):
        with claim_if_dead(lock) as dead:
            if dead:
                lock.with_suffix("").unlink(missing_ok=True)
                lock.unlink(missing_ok=True)
