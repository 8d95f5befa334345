"""Files that are named on a command line, read whole."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dbops.errors import Failed, NotFound

NOTE_MOST: Final = 64 << 10  # bytes of a checkpoint's note


def read_named(path: Path, most: int) -> bytes:
    """Return the file's bytes; raises NotFound, and Failed where it is over `most` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise NotFound("no-file", f"there is no file {path}", hint="check the path") from None
    except OSError as failure:
        raise Failed(
            "file-unreadable", f"{path} cannot be read ({failure.strerror})", hint=f"ls -l {path}"
        ) from None
    if len(data) > most:
        raise Failed("file-too-large", f"{path} is larger than {most} bytes", hint=f"ls -l {path}")
    return data
