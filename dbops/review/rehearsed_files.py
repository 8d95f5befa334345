"""Putting what a rehearsal found beside the work that was rehearsed."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from dbops.errors import Failed, NotFound
from dbops.review.folder import opened_folder
from dbops.review.owned_files import replace_files


def write_rehearsed(
    worktree: Path, folder: str, files: Mapping[str, bytes], stale: Collection[str] = ()
) -> None:
    """Afterwards these files are in the work's folder, durably, in this order; no `stale` one is.

    What had their names is replaced, each by a rename, and no symbolic link is followed. A crash in
    between leaves evidence that is not of the files beside it, which counts for nothing and is
    replaced by rehearsing again, or a `.dbops-….tmp` beside the folder. Where root writes, they
    belong to its owner, who has to commit them. Raises Failed `rehearse-write`.
    """
    parts = PurePosixPath(folder).parts
    with opened_folder(worktree, parts[:1]) as shelf, opened_folder(worktree, parts) as directory:
        if shelf is None or directory is None:
            raise NotFound("work-missing", f"there is no {folder}", hint="dbops review list")
        try:
            for name in sorted(stale):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=directory)
            replace_files(shelf, directory, tuple(files.items()))
        except OSError as fault:
            code = errno.errorcode.get(fault.errno or 0, "unknown error")
            raise Failed(
                "rehearse-write",
                f"what the rehearsal found could not be written to {folder} ({code})",
                hint=f"look at it: ls -la {shlex.quote(str(worktree / folder))}",
            ) from None
