"""Give a finished file its name without ever replacing what has that name.

A link fails where the name is taken. File systems without hard links get a rename that refuses to
replace (Linux), and where that is missing too an exclusive creation, which is not atomic against
a crash but still never overwrites.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from pathlib import Path

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_RENAME_NOREPLACE = 1
_AT_FDCWD = -100


def give_name(source: Path, target: Path) -> None:
    """Afterwards `target` is the file; `source` may or may not still be there.

    Raises FileExistsError where the name is taken, and OSError for the rest; then `target` is as
    it was.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError as failure:
        if failure.errno not in _NO_LINKS:
            raise
        _rename_without_replacing(source, target)


def sync_directory(path: Path) -> None:
    """Afterwards the names in the directory are durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename_without_replacing(source: Path, target: Path) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    rename = getattr(library, "renameat2", None)
    if rename is not None:
        arguments = (_AT_FDCWD, bytes(source), _AT_FDCWD, bytes(target), _RENAME_NOREPLACE)
        if rename(*arguments) == 0:
            return
        number = ctypes.get_errno()
        if number not in {errno.EINVAL, errno.ENOSYS}:
            raise OSError(number, os.strerror(number))
    _copy_exclusively(source, target)


def _copy_exclusively(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            shutil.copyfileobj(reader, writer, 1 << 20)
            os.fsync(writer.fileno())
        except OSError:
            target.unlink(missing_ok=True)
            raise
