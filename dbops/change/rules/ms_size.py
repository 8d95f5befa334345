"""MS-SIZE: a column whose change writes every row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Column
from dbops.change.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_STEADY: Final = frozenset({"getdate", "sysdatetime", "getutcdate", "suser_sname", "convert"})
_HINT: Final = "add a bare column, fill it in batches, and exchange the two by a later change"


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "tsql":
        return
    for reading, table, clause in case.filled(Act.RETYPE, Act.ADD_COLUMN):
        title = f"{table.written}.{clause.column}"
        if clause.act is Act.RETYPE:
            what = f"ALTER COLUMN of {title} may write every row while nobody uses the table"
            yield MS_SIZE.found(reading.place, what + case.measured(table), _HINT)
        elif clause.definition is not None and _differs(clause.definition):
            what = f"{title} has a default that differs by row, and every row is written"
            yield MS_SIZE.found(reading.place, what + case.measured(table), _HINT)


def _differs(column: Column) -> bool:
    calls = () if column.default is None else column.default.calls
    return column.not_null and any(call not in _STEADY for call in calls)


MS_SIZE: Final = Rule("MS-SIZE", Severity.ERROR, "a column whose change writes every row", _examine)
