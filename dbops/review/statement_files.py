"""Putting a statement beside the work that it speaks of."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path, PurePosixPath

from dbops.errors import Failed, NotFound
from dbops.review.folder import SIGNATURE, TEXT, opened_folder
from dbops.review.owned_files import give_to_owner, replace_files
from dbops.review.work import APPROVALS, SignedText


def write_statement(worktree: Path, folder: str, name: str, signed: SignedText) -> Path:
    """Afterwards `approvals/<name>.txt` and its `.sig` are durable; returns the text's path.

    What had these names is replaced, each by a rename, and no symbolic link is followed. A crash
    in between leaves a text with the signature of the one before, which counts for nothing and is
    replaced by deciding again, or a `.dbops-….tmp` beside the work's folder. Where root writes,
    the files belong to the folder's owner, who has to commit them. Raises Failed `decide-write`.
    """
    parts = PurePosixPath(folder).parts
    with opened_folder(worktree, parts[:1]) as shelf, opened_folder(worktree, parts) as directory:
        if shelf is None or directory is None:
            raise NotFound("work-missing", f"there is no {folder}", hint="dbops review list")
        try:
            approvals = _open_approvals(directory)
            try:
                files = ((name + TEXT, signed.text), (name + SIGNATURE, signed.signature))
                replace_files(shelf, approvals, files)
                os.fsync(directory)
            finally:
                os.close(approvals)
        except OSError as fault:
            code = errno.errorcode.get(fault.errno or 0, "unknown error")
            shown = f"{folder}/{APPROVALS}"
            raise Failed(
                "decide-write",
                f"the statement could not be written to {shown} ({code})",
                hint=f"look at it: ls -la {shlex.quote(str(worktree / shown))}",
            ) from None
    return worktree / folder / APPROVALS / f"{name}{TEXT}"


def _open_approvals(directory: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.mkdir(APPROVALS, 0o755, dir_fd=directory)
    except FileExistsError:
        return os.open(APPROVALS, flags, dir_fd=directory)
    made = os.open(APPROVALS, flags, dir_fd=directory)
    give_to_owner(made, directory)
    return made
