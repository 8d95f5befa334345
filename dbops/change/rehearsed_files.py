"""The files of a change's folder that a rehearsal makes: three or more for each database; pure.

`rehearsed-his.yml` says what was found on the backup of `his`, `rehearsed-his.schema` what the
database itself was like, `rehearsed-his.diff` what the change came to, `rehearsed-his.up-3.diff`
what it had come to when the part ended whose last step is the third. The signed `evidence.yml`
lists them all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from typing import Final

from dbops.change.step import Direction
from dbops.review.work import EVIDENCE, EVIDENCE_SIGNATURE, Work

_HEAD: Final = "rehearsed-"
_END: Final = re.compile(r"(up|down)-([1-9][0-9]{0,8})\.diff")


def findings_file(database: str) -> str:
    """The path of what was found."""
    return f"{_HEAD}{database}.yml"


def source_file(database: str) -> str:
    """The path of the schema of the database itself."""
    return f"{_HEAD}{database}.schema"


def difference_file(database: str) -> str:
    """The path of what the change came to."""
    return f"{_HEAD}{database}.diff"


def end_file(database: str, direction: Direction, step: int) -> str:
    """The path of what a direction had come to when the part ended whose last step this is.

    No database has a dot in its name.
    """
    return f"{_HEAD}{database}.{direction.value}-{step}.diff"


def end_files(database: str, paths: Iterable[str]) -> dict[tuple[Direction, int], str]:
    """Return those of the paths that say it, by direction and step."""
    head = f"{_HEAD}{database}."
    found = ((path, _END.fullmatch(path, len(head))) for path in paths if path.startswith(head))
    return {(Direction(end[1]), int(end[2])): path for path, end in found if end is not None}


def made_by_rehearsal(paths: Iterable[str]) -> frozenset[str]:
    """Return those of the paths that a rehearsal makes, and makes anew."""
    return frozenset(
        path for path in paths if path in {EVIDENCE, EVIDENCE_SIGNATURE} or path.startswith(_HEAD)
    )


def own_files(work: Work) -> str:
    """Return the sha256 of `sha256sum`'s list of the files that no rehearsal makes.

    It names a revision of the change whatever it was rehearsed on: a ring may have to be rehearsed
    anew while the one before it soaks.
    """
    made = made_by_rehearsal(work.files)
    lines = (f"{digest}  {path}\n" for path, digest in work.digests.items() if path not in made)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def files_of(databases: Collection[str], paths: Iterable[str]) -> frozenset[str]:
    """Return the paths of what was found on these databases, as far as parts go among the `paths`.

    The others are those that no rehearsal goes without.
    """
    makers = (findings_file, source_file, difference_file)
    there = tuple(paths)
    ends = frozenset(path for name in databases for path in end_files(name, there).values())
    return ends | {path(name) for name in databases for path in makers}
