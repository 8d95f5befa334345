"""A repair and its undo stream: memory does not grow with rows. The benchmark does a million."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from benchmarks.repair import Took, ordered
from tests.engines.postgresql.repair_database import PgSite
from tests.engines.sqlite.repairs import SqliteSite
from tests.repair.bench import Bench

MANY, LENGTH = 12_000, 2000
LONG = 10_000_000
# Spool, one stretch of the comparison, one batch of the server's: each holds some MiB at most.
MANY_MOST = 40_000_000
# Before, after, and what is on its way between the server, the spool and the bundle.
LONG_MOST = 8 * LONG
TABLE = "CREATE TABLE visit (id integer NOT NULL PRIMARY KEY, ward text NOT NULL, note text)"
NUMBERED = (
    "INSERT INTO visit WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
    " i < {rows}) SELECT i, 'OLD', {note} FROM n"
)
NOTES = {"sqlite": "hex(randomblob({half}))", "postgresql": "repeat(md5(i::text), {part})"}


def repaired(bench: Bench, rows: int, length: int, how: str) -> Took:
    """What a process takes that repairs so many rows of so many bytes, and may undo that."""
    site = bench.site
    engine = "postgresql" if isinstance(site, PgSite) else "sqlite"
    note = NOTES[engine].format(half=length // 2, part=length // 32)
    site.run(TABLE, NUMBERED.format(rows=rows, note=note))
    site.prepare("visit")
    orders = {**place_of(bench), "how": how, "rows": rows, "directory": str(bench.directory)}
    took = ordered(orders)
    ward = {"repair": "ORT", "undo": "OLD"}[how]
    assert site.rows(f"SELECT count(*) FROM visit WHERE ward = '{ward}'") == [(rows,)]
    return took


def place_of(bench: Bench) -> Mapping[str, object]:
    """How the process finds the database."""
    site = bench.site
    if isinstance(site, SqliteSite):
        return {"path": str(site.path)}
    assert isinstance(site, PgSite)
    server = site.database.server
    return {
        "socket": str(server.socket_directory),
        "port": server.port,
        "dbname": site.database.name,
        "role": site.engine.repair_role,
    }


@pytest.mark.parametrize(
    ("how", "rows", "length", "most"),
    [("undo", MANY, LENGTH, MANY_MOST), ("repair", 1, LONG, LONG_MOST)],
    ids=["many rows and back", "one long row"],
)
def test_memory_is_bounded(bench: Bench, how: str, rows: int, length: int, most: int) -> None:
    """It grows by less than the rows before and after would take, or by some long rows."""
    took = repaired(bench, rows, length, how)
    grown = took.memory - took.before
    assert grown < most, f"{grown} bytes"
