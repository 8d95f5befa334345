"""`dbops backup run` on PostgreSQL whose connections are cut while it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.postgresql import NAME, fill, found_postgresql_estate
from tests.crash.processes import dbops, start, wait_until
from tests.crash.wholeness import Witness
from tests.fix_postgresql import Connection, PgDatabase

MORE_ROWS = 200_000
RUN = ("backup", "run", NAME, "--jobs", "2")
OWN = "application_name = 'dbops' AND datname = %(name)s"
COPYING = f"{OWN} AND state = 'active' AND query LIKE 'COPY%%more%%'"
WHOSE = {
    "a worker's": COPYING,
    "the master's": f"{OWN} AND state = 'idle in transaction'",
    "all": OWN,
}


def _terminate(connection: Connection, database: PgDatabase, whose: str) -> int:
    """How many sessions were ended; none before rows are being read."""
    query = (
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {whose}"
        f" AND EXISTS (SELECT FROM pg_stat_activity WHERE {COPYING})"
    )
    return len(connection.execute(query.encode(), {"name": database.name}).fetchall())


@pytest.mark.parametrize("whose", WHOSE.values(), ids=WHOSE)
def test_a_lost_connection_leaves_no_backup(
    tmp_path: Path, filled_database: PgDatabase, whose: str
) -> None:
    """The run fails with an error, no manifest comes, and the next run makes its backup."""
    root = found_postgresql_estate(tmp_path / "estate", filled_database)
    witness = Witness(root, NAME)
    assert dbops(root, *RUN).status == 0
    assert witness.look() == {1}
    fill(filled_database, "more", MORE_ROWS)
    manifests = set(root.glob("backups/db/**/manifest/*"))
    assert len(manifests) > 0
    with filled_database.server.connect("postgres") as connection:
        run = start(root, *RUN)
        assert wait_until(lambda: _terminate(connection, filled_database, whose) > 0 or run.ended)
        outcome = run.finish()
    assert (outcome.status, outcome.out) == (11, "")
    assert outcome.err.startswith("error: ")
    assert "the connection was lost (57P01)\nhint: " in outcome.err
    assert set(root.glob("backups/db/**/manifest/*")) == manifests
    assert witness.look() == {1}
    assert dbops(root, *RUN).status == 0
    assert witness.look() == {1, 2}
