"""`dbops backup run` on PostgreSQL whose connections are cut while it reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.crash.postgresql import NAME, fill, found_postgresql_estate
from tests.crash.processes import dbops, start, wait_until
from tests.crash.wholeness import Witness
from tests.fix_postgresql import Connection, PgDatabase

MORE_ROWS = 200_000
MANIFESTS = "backups/db/*/manifest/*"
RUN = ("backup", "run", NAME, "--jobs", "2")
OWN = "application_name = 'dbops' AND datname = %(name)s"
COPYING = f"{OWN} AND state = 'active' AND query LIKE 'COPY%%more%%'"
# A worker that has not joined the snapshot yet finds that it is gone.
ERROR = (
    "error: .*: (the connection was lost \\(57P01\\)|the snapshot does not exist any more)\n"
    "hint: .*\n"
)
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
    fill(filled_database, "more", MORE_ROWS)
    with filled_database.server.connect("postgres") as connection:
        run = start(root, *RUN)
        assert wait_until(lambda: _terminate(connection, filled_database, whose) > 0 or run.ended)
        outcome = run.finish()
    assert outcome.status in (1, 11), outcome
    assert re.fullmatch(ERROR, outcome.err), outcome
    assert outcome.out == ""
    assert list(root.glob(MANIFESTS)) == []
    assert dbops(root, *RUN).status == 0
    assert len(list(root.glob(MANIFESTS))) == 1
    assert Witness(root, NAME).look() == {1}
