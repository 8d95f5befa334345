"""The files of a change's folder that a rehearsal makes: three for each database; pure.

`rehearsed-his.yml` says what was found on the backup of `his`, `rehearsed-his.schema` what the
database itself was like, `rehearsed-his.diff` what the change came to. The signed `evidence.yml`
lists them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from dbops.review.work import EVIDENCE, EVIDENCE_SIGNATURE, Work

_HEAD: Final = "rehearsed-"


def findings_file(database: str) -> str:
    """The path of what was found."""
    return f"{_HEAD}{database}.yml"


def source_file(database: str) -> str:
    """The path of the schema of the database itself."""
    return f"{_HEAD}{database}.schema"


def difference_file(database: str) -> str:
    """The path of what the change came to."""
    return f"{_HEAD}{database}.diff"


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


def files_of(databases: Iterable[str]) -> frozenset[str]:
    """Return the paths of what was found on these databases."""
    makers = (findings_file, source_file, difference_file)
    return frozenset(path(name) for name in databases for path in makers)
