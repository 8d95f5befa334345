"""A new piece of work: its manifest as text, and its folder in the work tree.

What is written reads back as what was meant, or nothing is written.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dbops.errors import Failed, NotFound, Refused
from dbops.review.folder import find_work, opened_folder
from dbops.review.owned_files import give_to_owner, write_new
from dbops.review.work import Kind, Risk, Work, check_work_id, read_manifest

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9@._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWork:
    """What the author says of it. `settings` are those of the kind, as in `Manifest`.

    `files` stand beside the manifest, by path; `databases` are for kinds whose manifest lists them,
    and `tables` empty means all of them.
    """

    kind: Kind
    id: str
    title: str
    author: str
    ticket: str | None = None
    risk: Risk = Risk.LOW
    settings: Mapping[str, str] = field(default_factory=dict)
    databases: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


def draw_up_work(new: NewWork) -> Work:
    """Return the work with its manifest; pure.

    Raises Refused with a `work-…`, `manifest-…` or `text-…` code for what may not stand there.
    """
    check_work_id(new.id)
    head = {"dbops": f"{new.kind.value}/v1", "id": new.id, "title": new.title}
    given = {"author": new.author, "ticket": new.ticket, "risk": new.risk.value, **new.settings}
    lines = [
        f"{key}: {_scalar(value)}\n" for key, value in (head | given).items() if value is not None
    ]
    for key, names in (("databases", new.databases), ("tables", new.tables)):
        if names:
            lines.append(f"{key}:\n")
            lines.extend(f"  - {_scalar(name)}\n" for name in names)
    manifest = "".join(lines).encode("utf-8", "surrogatepass")
    files = {new.kind.manifest: manifest, **new.files}
    work = Work(new.kind, new.id, f"{new.kind.folder}/{new.id}", files)
    read_manifest(work)
    return work


def _scalar(text: str) -> str:
    """The text as YAML reads it back; quoted unless it is a plain word or number of ours."""
    plain = _PLAIN.fullmatch(text) or text in {f"{kind.value}/v1" for kind in Kind}
    return text if plain else json.dumps(text, ensure_ascii=False)


def create_work(worktree: Path, work: Work) -> Path:
    """Afterwards the folder is there with its files, durable; returns it.

    No symbolic link is followed, and where root writes, what it writes belongs to the owner of the
    work tree, who has to commit it. Raises Refused `work-exists` where the id is taken, by work of
    whatever kind, and Failed `work-unwritable`. A crash leaves nothing by that name; a directory
    `.dbops-….tmp` may lie beside it.
    """
    refuse_taken(worktree, work.id)
    with opened_folder(worktree, ()) as tree:
        if tree is not None:
            _make_directory(tree, work.kind.folder, worktree)
    with opened_folder(worktree, (work.kind.folder,)) as shelf:
        if shelf is None:
            raise _unwritable(worktree, work.kind.folder, "ENOENT")
        _fill(shelf, work, worktree)
    return worktree / work.folder


def refuse_taken(worktree: Path, work_id: str) -> None:
    """Raise Refused `work-exists` where the id is taken, by work of whatever kind."""
    try:
        taken = find_work(worktree, work_id)
    except NotFound:
        return
    raise Refused(
        "work-exists",
        f"{taken.relative_to(worktree)} is there already; nothing was changed",
        hint="an id names one piece of work for good: choose another",
    )


def _make_directory(above: int, name: str, worktree: Path) -> None:
    """Afterwards there is something by that name; what it is, is asked when it is opened."""
    try:
        os.mkdir(name, 0o755, dir_fd=above)
        made = os.open(name, _DIRECTORY, dir_fd=above)
        try:
            give_to_owner(made, above)
        finally:
            os.close(made)
    except FileExistsError:
        return
    except OSError as failure:
        raise _unwritable(worktree, name, _code(failure)) from None


def _fill(shelf: int, work: Work, worktree: Path) -> None:
    """The folder gets its name when everything in it is durable."""
    fresh = f".dbops-{secrets.token_hex(8)}.tmp"
    try:
        os.mkdir(fresh, 0o755, dir_fd=shelf)
        directory = os.open(fresh, _DIRECTORY, dir_fd=shelf)
        try:
            give_to_owner(directory, shelf)
            for name, data in work.files.items():
                write_new(directory, name, data, directory)
            os.fsync(directory)
        finally:
            os.close(directory)
        os.rename(fresh, work.id, src_dir_fd=shelf, dst_dir_fd=shelf)
        os.fsync(shelf)
    except OSError as failure:
        raise _unwritable(worktree, work.folder, _code(failure)) from None


def _unwritable(worktree: Path, what: str, code: str) -> Failed:
    return Failed(
        "work-unwritable",
        f"{what} cannot be written in {worktree} ({code})",
        hint=f"look at it: ls -la {shlex.quote(str(worktree))}",
    )


def _code(failure: OSError) -> str:
    return errno.errorcode.get(failure.errno or 0, "unknown error")
