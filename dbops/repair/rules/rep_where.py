"""REP-WHERE: an UPDATE or DELETE that writes every row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.reading import Guard, Op
from dbops.repair.rules.finding import Case, Rule
from dbops.repair.rules.naming import table_named
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    for reading in case.script:
        for write in reading.writes:
            if write.guard is Guard.SOME:
                continue
            ops = " and ".join(sorted(op.upper() for op in write.ops - {Op.INSERT}))
            table = table_named(case, write.target)
            how = "has no WHERE" if write.guard is Guard.NONE else "has a WHERE that is always true"
            yield REP_WHERE.found(
                reading.place,
                f"the {ops or 'MERGE'} of {table} {how}, so it writes every row",
                "say which rows: WHERE ward_code = :from_ward",
            )


REP_WHERE: Final = Rule("REP-WHERE", Severity.ERROR, "a statement that writes every row", _examine)
