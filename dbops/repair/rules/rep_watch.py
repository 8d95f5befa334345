"""REP-WATCH: the script writes what the manifest does not declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.manifest import Watch
from dbops.repair.reading import Op, Write
from dbops.repair.rules.finding import Case, Rule, same_table
from dbops.repair.rules.naming import named, plain_name
from dbops.repair.table import TableName
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    for reading in case.script:
        for write in reading.writes:
            table = case.table_of(write.target)
            if table is None or _is_temporary(case, table):
                continue
            for what, hint in _undeclared(case, write, table):
                yield REP_WATCH.found(reading.place, what, hint)


def _is_temporary(case: Case, table: TableName) -> bool:
    return table.name.casefold() in {name.casefold() for name in case.repair.temporary}


def _undeclared(case: Case, write: Write, table: TableName) -> Iterator[tuple[str, str]]:
    watches = [watch for watch in case.repair.watches if same_table(watch.table, table)]
    if watches:
        yield from _beyond(case, write, watches[0])
    elif not any(same_table(side.table, table) for side in case.repair.side_effects):
        what = f"{named(table)} is written, and is neither watched nor a side effect"
        yield what, "declare it in watch: if it is a view, declare the table below it"
    elif write.ops != {Op.INSERT}:
        what = f"{named(table)} is a side effect, and the script does more than insert there"
        yield what, "declare it in watch: side effects are rows that triggers append"


def _beyond(case: Case, write: Write, watch: Watch) -> Iterator[tuple[str, str]]:
    expected = {
        Op.INSERT: watch.expect.inserted,
        Op.UPDATE: watch.expect.updated,
        Op.DELETE: watch.expect.deleted,
    }
    if not any(expected[op] for op in write.ops):
        ops = " or ".join(sorted(op.upper() for op in write.ops))
        what = f"{watch.table}: the script holds {ops}, and expect has no such row"
        yield what, "write in expect how many rows, or leave the statement out"
        return
    allowed = {name.casefold() for name in watch.may_change}
    for name in map(case.column_of, write.sets):
        if name.casefold() not in allowed:
            column = plain_name(name) or "a column"
            what = f"{watch.table}: the script sets {column}, and may_change does not name it"
            yield what, "add it to may_change, or leave it out of the script"


REP_WATCH: Final = Rule(
    "REP-WATCH", Severity.WARNING, "the script writes what is not declared", _examine
)
