"""Whether the backup on which a change was rehearsed has the schema that is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.cli.wiring import Wiring
    from dbops.review.work import Work


def remark_other_schema(wiring: Wiring, work: Work, databases: Iterable[str]) -> None:
    """Say of which databases the rehearsed backup has another schema than is recorded here.

    What was altered by hand before the backup was taken lies in it, and a rehearsal that compares
    with itself finds no drift. Of a database without a record there is nothing to say.
    """
    from dbops.cli.render import say
    from dbops.errors import DbopsError

    for database in databases:
        try:
            words = _other_schema(wiring, work, database)
        except DbopsError:  # nothing is recorded, or nobody can compare: those who record say so
            continue
        if words is not None:
            say(f"remark: {words}")


def _other_schema(wiring: Wiring, work: Work, database: str) -> str | None:
    from dbops.change.drift import drift
    from dbops.change.evidence import read_evidence
    from dbops.cli.baselines import baseline_of
    from dbops.cli.changing import source_of
    from dbops.cli.render import counted

    evidence, source = read_evidence(work, database), source_of(work, database)
    if evidence is None or source is None:
        return None
    recorded, entry = baseline_of(wiring, database)
    if not (found := drift(recorded, source, database)):
        return None
    if entry.at > evidence.taken:
        return (
            f"the schema of {database} was recorded anew since {evidence.backup} was taken, which"
            f" has another one: take a new backup, verify it, then dbops change rehearse {work.id}"
        )
    return (
        f"{evidence.backup}, the rehearsed backup, has another schema than is recorded for"
        f" {database} ({counted(len(found), 'difference')}): dbops change drift {database}"
    )
