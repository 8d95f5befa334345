"""Files in somebody else's work tree: written by the runner, and given to who has to commit them.

Names are looked up in open directories only, and nothing is written through a link.
"""

from __future__ import annotations

import os
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


def give_to_owner(descriptor: int, of: int) -> None:
    """Afterwards the one belongs to whom the other belongs, where root asks for it."""
    if os.geteuid() == 0:
        owner = os.fstat(of)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
