"""Putting a statement beside the work that it speaks of."""

from __future__ import annotations

import errno
import os
import secrets
import shlex
from contextlib import suppress
from pathlib import Path, PurePosixPath

from dbops.errors import Failed, NotFound
from dbops.review.folder import SIGNATURE, TEXT, opened_folder
from dbops.review.owned_files import give_to_owner, write_new
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
                _replace(shelf, approvals, name, signed)
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


def _replace(shelf: int, approvals: int, name: str, signed: SignedText) -> None:
    """Both files are whole before the first of them gets its name."""
    ready: list[tuple[str, str]] = []
    try:
        for suffix, data in ((TEXT, signed.text), (SIGNATURE, signed.signature)):
            temporary = f".dbops-{secrets.token_hex(8)}.tmp"
            ready.append((temporary, name + suffix))
            write_new(shelf, temporary, data, approvals)
        for temporary, target in ready:
            os.rename(temporary, target, src_dir_fd=shelf, dst_dir_fd=approvals)
        os.fsync(approvals)
    finally:
        for temporary, _ in ready:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=shelf)
