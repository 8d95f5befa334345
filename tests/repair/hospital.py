"""The small hospital that repairs are tried on: wards, visits, their bills, and a log."""

from __future__ import annotations

from dbops.repair.manifest import Repair
from tests.repair.bench import Bench, repair, watch

TABLES = ("dept", "visit", "bill", "log")
HOSPITAL = (
    "CREATE TABLE dept (code text NOT NULL PRIMARY KEY)",
    "CREATE TABLE visit (id integer NOT NULL PRIMARY KEY, pid integer, dept text, note text)",
    "CREATE TABLE bill (id integer NOT NULL PRIMARY KEY,"
    " vid integer REFERENCES visit (id) ON DELETE CASCADE, amt integer)",
    "CREATE TABLE log (id integer NOT NULL PRIMARY KEY, m text)",
    "INSERT INTO dept VALUES ('OLD'), ('ORT')",
    "INSERT INTO visit VALUES "
    + ", ".join(f"({n}, {n % 7}, '{'OLD' if n < 6 else 'ORT'}', 'n{n}')" for n in range(1, 13)),
    "INSERT INTO bill VALUES " + ", ".join(f"({n}, {n}, {n}00)" for n in range(1, 13)),
)
MOVE = "UPDATE visit SET dept = 'ORT' WHERE dept = 'OLD'"
CHAIN = (
    "UPDATE visit SET dept = 'A1' WHERE id = 1;"
    " UPDATE visit SET dept = 'A2' WHERE id IN (SELECT id + 1 FROM visit WHERE dept = 'A1');"
    " DELETE FROM visit WHERE id = 5"
)
CHAINED = (
    watch("visit", "id BETWEEN 1 AND 5", update=2, delete=1, may_change=["dept"]),
    watch("bill", "vid BETWEEN 1 AND 5", delete=1),
)


def build(bench: Bench) -> Bench:
    """Twelve visits, five of them booked to the closed ward OLD, and a bill for each."""
    bench.site.run(*HOSPITAL)
    bench.site.prepare(*TABLES)
    return bench


def moving(**more: object) -> Repair:
    """Five visits move from OLD to ORT."""
    watched = watch("visit", "dept = 'OLD'", update=5, may_change=["dept"])
    return repair(watched, **more)  # type: ignore[arg-type] # checked at run time


def contents(bench: Bench) -> list[tuple[object, ...]]:
    """All rows of all tables, read at once."""
    return bench.site.rows(_CONTENTS)


_CONTENTS = (
    "SELECT 'dept' AS t, 0 AS a, 0 AS b, code AS c, NULL AS d FROM dept"
    " UNION ALL SELECT 'visit', id, pid, dept, note FROM visit"
    " UNION ALL SELECT 'bill', id, vid, CAST(amt AS text), NULL FROM bill"
    " UNION ALL SELECT 'log', id, 0, m, NULL FROM log ORDER BY 1, 2, 3, 4, 5"
)
