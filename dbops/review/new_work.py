"""A new piece of work: its manifest as text, and its folder in the work tree.

What is written reads back as what was meant, or nothing is written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dbops.errors import Failed, NotFound, Refused
from dbops.publish import sync_directory
from dbops.review.folder import find_work
from dbops.review.work import Kind, Risk, Work, check_work_id, read_manifest

_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9@._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWork:
    """What the author says of it. `settings` are those of the kind, as in `Manifest`.

    `files` stand beside the manifest, by path; `tables` empty means all of them.
    """

    kind: Kind
    id: str
    title: str
    author: str
    ticket: str | None = None
    risk: Risk = Risk.LOW
    settings: Mapping[str, str] = field(default_factory=dict)
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
    if new.tables:
        lines.append("tables:\n")
        lines.extend(f"  - {_scalar(table)}\n" for table in new.tables)
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

    Raises Refused `work-exists` where the id is taken, by work of whatever kind, and Failed
    `work-unwritable`. A crash leaves nothing by that name; a directory `.ID.new` may lie there,
    which is removed by the next attempt.
    """
    _refuse_taken(worktree, work.id)
    above = worktree / work.kind.folder
    fresh = above / f".{work.id}.new"
    try:
        above.mkdir(exist_ok=True)
        _refuse_link(above)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        for path, data in work.files.items():
            _write(fresh / path, data)
        sync_directory(fresh)
        fresh.rename(above / work.id)
        sync_directory(above)
    except OSError as failure:
        raise Failed(
            "work-unwritable",
            f"{work.folder} cannot be written in {worktree} ({failure.strerror})",
            hint=f"look at it: ls -la {worktree}",
        ) from None
    return above / work.id


def _refuse_taken(worktree: Path, work_id: str) -> None:
    try:
        taken = find_work(worktree, work_id)
    except NotFound:
        return
    raise Refused(
        "work-exists",
        f"{taken.relative_to(worktree)} is there already; nothing was changed",
        hint="an id names one piece of work for good: choose another",
    )


def _refuse_link(directory: Path) -> None:
    if directory.is_symlink():
        raise Refused(
            "work-link",
            f"{directory.name} is a link",
            hint=f"put the folder itself there: ls -ld {directory}",
        )


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
