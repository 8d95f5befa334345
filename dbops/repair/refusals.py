"""What ends a transaction of dbops before COMMIT, said with names and counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from dbops.errors import NotFound, Refused
from dbops.repair.judgement import Breach
from dbops.repair.manifest import Condition
from dbops.repair.ports import Binding, RepairSession
from dbops.repair.table import KeyedRow, Shape

_TOLD: Final = 6  # breaches


def refuse_breaches(work: str, breaches: Sequence[Breach]) -> None:
    """Raise Refused where there are any, with the first one's code and what each of them says."""
    if not breaches:
        return
    told = "; ".join(breach.sentence for breach in breaches[:_TOLD])
    more = f" (and {len(breaches) - _TOLD} more)" if len(breaches) > _TOLD else ""
    raise Refused(
        breaches[0].code,
        f"{work} was rolled back: {told}{more}",
        hint="correct the script, or declare it in repair.yml; then request it anew, and:"
        f" dbops repair rehearse {work}",
    )


def refuse_unknown_columns(wanted: Collection[str], tables: Iterable[Collection[str]]) -> None:
    """Raise NotFound `no-column` where a name is a column of none of the tables."""
    missing = sorted(set(wanted).difference(*tables))
    if missing:
        raise NotFound(
            "no-column",
            f"no watched table has a column {', '.join(missing)}",
            hint="names are written exactly as the catalogue spells them",
        )


def refuse_keyless(shape: Shape) -> None:
    """Raise Refused `no-key` for a table whose rows nothing identifies."""
    if not shape.key:
        raise Refused(
            "no-key",
            f"{shape.table} has neither a primary key nor a unique key without NULL,"
            " so its rows cannot be told apart",
            hint="give the table a primary key first, by a reviewed change",
        )


def keyed(rows: Iterable[KeyedRow], shape: Shape) -> Iterator[KeyedRow]:
    """Yield the rows; raises Refused `null-key` at the first whose key is NULL in part."""
    key = shape.key
    for one in rows:
        row = one.row
        if None in [row[place] for place in key]:
            raise Refused(
                "null-key",
                f"a row of {shape.table} has NULL in its key, so nothing identifies it",
                hint="narrow the watch set, or repair the key by hand first",
            )
        yield one


def too_many_rows(work: str, limit: int) -> Refused:
    """The refusal of a transaction that wrote more rows than its manifest lets it."""
    return Refused(
        "too-many-rows",
        f"{work} was rolled back: more rows were written than the limit of {limit}",
        hint="narrow its statements, or have a higher limit reviewed",
    )


def failed_conditions(
    session: RepairSession, conditions: Iterable[Condition], binding: Binding
) -> list[Breach]:
    """Return a breach for each condition that does not hold; values are not told."""
    return [
        Breach("condition-failed", f"the condition does not hold: {condition.title}")
        for condition in conditions
        if session.check(condition.sql, binding) != condition.equals.encode(session.encoding)
    ]
