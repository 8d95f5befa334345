"""A role that cannot read everything is refused, with all that it lacks named at once."""

from __future__ import annotations

import pytest

from dbops.engines.postgresql.snapshot import take_snapshot
from dbops.errors import Refused
from tests.engines.postgresql.collecting import parameters, read_all
from tests.fix_postgresql import Connection, PgDatabase

ROLE = "weak_reader"


def _prepare(connection: Connection) -> None:
    connection.execute(
        f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    connection.execute(f"ALTER ROLE {ROLE} NOBYPASSRLS NOINHERIT")


def _refused(database: PgDatabase) -> Refused:
    with pytest.raises(Refused) as caught:
        with take_snapshot(parameters(database, ROLE), [database.server.installation]):
            pass
    return caught.value


def test_all_unreadable_tables_and_sequences_are_named(pg_database: PgDatabase) -> None:
    """Tables, partitions, tables in a closed schema and sequences: one error names them all."""
    with pg_database.connect() as connection:
        _prepare(connection)
        connection.execute("CREATE TABLE open (n integer)")
        connection.execute(f"GRANT SELECT ON open TO {ROLE}")
        connection.execute('CREATE TABLE "closed 1" (n integer)')
        connection.execute("CREATE TABLE part (n integer) PARTITION BY LIST (n)")
        connection.execute("CREATE TABLE part_1 PARTITION OF part DEFAULT")
        connection.execute("CREATE SCHEMA hidden CREATE TABLE t (n integer)")
        connection.execute(f"GRANT SELECT ON hidden.t TO {ROLE}")
        connection.execute("CREATE SEQUENCE numbers")
        # Some columns are not all: pg_dump locks the table, and needs it whole.
        connection.execute("CREATE TABLE half (a integer, b integer)")
        connection.execute(f"GRANT SELECT (a) ON half TO {ROLE}")
    refusal = _refused(pg_database)
    assert refusal.code == "tables-unreadable"
    assert refusal.message == (
        "role weak_reader cannot read 6 tables or sequences: hidden.t, "
        'public."closed 1", public.half, public.numbers, public.part, public.part_1'
    )
    assert refusal.hint == "GRANT pg_read_all_data TO weak_reader"


def test_pg_read_all_data_suffices(pg_database: PgDatabase) -> None:
    """With the one grant of the hint everything is read, and all rows are counted."""
    with pg_database.connect() as connection:
        _prepare(connection)
        connection.execute("CREATE SCHEMA hidden")
        connection.execute("CREATE TABLE hidden.t AS SELECT generate_series(1, 7) AS n")
        connection.execute("CREATE SEQUENCE numbers")
        connection.execute(f"ALTER ROLE {ROLE} INHERIT")  # before: 16 and newer look at it then
        connection.execute(f"GRANT pg_read_all_data TO {ROLE}")
    try:
        with take_snapshot(
            parameters(pg_database, ROLE), [pg_database.server.installation]
        ) as snapshot:
            sink = read_all(snapshot)
            assert snapshot.facts(witness=True)["count"]["hidden.t"] == "7"
            snapshot.confirm()
        assert len(sink.rows("hidden.t")) == 7
    finally:
        with pg_database.connect() as connection:
            connection.execute(f"REVOKE pg_read_all_data FROM {ROLE}")


def test_row_security_is_refused_by_name(pg_database: PgDatabase) -> None:
    """Rows that a policy could hide are a refusal, also for an owner who is forced."""
    with pg_database.connect() as connection:
        _prepare(connection)
        for name in ("a", "b", "c"):
            connection.execute(f"CREATE TABLE {name} AS SELECT 1 AS n")
            connection.execute(f"GRANT SELECT ON {name} TO {ROLE}")
        connection.execute("ALTER TABLE a ENABLE ROW LEVEL SECURITY")
        connection.execute("ALTER TABLE b ENABLE ROW LEVEL SECURITY")
        connection.execute("ALTER TABLE b FORCE ROW LEVEL SECURITY")
        connection.execute(f"ALTER TABLE b OWNER TO {ROLE}")
        connection.execute(f"ALTER TABLE c OWNER TO {ROLE}")
        connection.execute("ALTER TABLE c ENABLE ROW LEVEL SECURITY")
    refusal = _refused(pg_database)
    assert refusal.code == "row-security"
    assert refusal.message == (
        "role weak_reader sees by row security only some rows of 2 tables: public.a, public.b"
    )
    assert refusal.hint == "ALTER ROLE weak_reader BYPASSRLS"


def test_bypassrls_is_enough(pg_database: PgDatabase) -> None:
    """The hint's command lets all rows through."""
    with pg_database.connect() as connection:
        _prepare(connection)
        connection.execute("CREATE TABLE a AS SELECT generate_series(1, 3) AS n")
        connection.execute(f"GRANT SELECT ON a TO {ROLE}")
        connection.execute("ALTER TABLE a ENABLE ROW LEVEL SECURITY")
        connection.execute(f"ALTER ROLE {ROLE} BYPASSRLS")
    with take_snapshot(
        parameters(pg_database, ROLE), [pg_database.server.installation]
    ) as snapshot:
        assert len(read_all(snapshot, "public.a").rows("public.a")) == 3


def test_unreadable_large_objects_are_named(pg_database: PgDatabase) -> None:
    """Large objects of others, without a grant to the role or to everybody, are a refusal."""
    with pg_database.connect() as connection:
        _prepare(connection)
        for number in (7001, 7002, 7003, 7004):
            connection.execute(f"SELECT lo_from_bytea({number}, 'x')")
        connection.execute(f"GRANT SELECT ON LARGE OBJECT 7002 TO {ROLE}")
        connection.execute("GRANT SELECT ON LARGE OBJECT 7003 TO PUBLIC")
        connection.execute(f"GRANT UPDATE ON LARGE OBJECT 7004 TO {ROLE}")
    refusal = _refused(pg_database)
    assert refusal.code == "large-objects-unreadable"
    assert refusal.message == "role weak_reader cannot read 2 large objects: 7001, 7004"
    assert refusal.hint == "GRANT SELECT ON TABLE pg_catalog.pg_largeobject TO weak_reader"
