"""Files in somebody else's work tree: written by the runner, and given to who has to commit them.

Names are looked up in open directories only, and nothing is written through a link.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_new(directory: int, name: str, data: bytes, owner: int) -> None:
    """Afterwards a new file in the directory holds the data, durably; raises OSError.

    Where root writes, it belongs to whom the descriptor `owner` belongs.
    """
    descriptor = os.open(name, _NEW, 0o644, dir_fd=directory)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(descriptor, 0o644)
        give_to_owner(descriptor, owner)
        os.fsync(descriptor)


def replace_files(shelf: int, directory: int, files: Sequence[tuple[str, bytes]]) -> None:
    """Afterwards the directory has these files, durably; raises OSError.

    What had their names is replaced, each by a rename in this order, and all are whole before the
    first is renamed. They are written in `shelf`, on the same file system, where a crash may leave
    a `.dbops-….tmp`. Where root writes, they belong to the owner of the directory.
    """
    ready: list[tuple[str, str]] = []
    try:
        for name, data in files:
            temporary = f".dbops-{secrets.token_hex(8)}.tmp"
            ready.append((temporary, name))
            write_new(shelf, temporary, data, directory)
        for temporary, name in ready:
            os.rename(temporary, name, src_dir_fd=shelf, dst_dir_fd=directory)
        os.fsync(directory)
    finally:
        for temporary, _ in ready:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=shelf)


def give_to_owner(descriptor: int, of: int) -> None:
    """Afterwards the one belongs to whom the other belongs, where root asks for it."""
    if os.geteuid() == 0:
        owner = os.fstat(of)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
