"""Reading a PostgreSQL snapshot: every row, exactly once, as the server prints it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dbops.engines.postgresql.encoding import Encoding
from dbops.engines.postgresql.snapshot import take_snapshot
from dbops.engines.postgresql.streams import (
    COLUMNS,
    GLOBALS,
    LARGE_OBJECT_METADATA,
    LARGE_OBJECTS,
    OBJECTS,
    SCHEMA,
    SEQUENCES,
)
from tests.engines.postgresql.collecting import parameters, read_all, row_streams
from tests.engines.postgresql.features import (
    OddEncoding,
    build_encoding_database,
    build_features,
)
from tests.fix_postgresql import Connection, PgDatabase, PgServer

_PINNED = (
    "SET quote_all_identifiers = off; SET timezone = 'UTC';"
    " SET datestyle = 'ISO, YMD'; SET intervalstyle = postgres;"
    " SET extra_float_digits = 3; SET bytea_output = hex; SET xmloption = content;"
    " SET lc_monetary = 'C'; SET search_path = ''"
)
# Tables of the site, where no hash partitioning is above: those are read as one.
_TABLES = """
    SELECT convert_to(c.oid::regclass::text, getdatabaseencoding())
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND (c.relpersistence = 'p' OR c.relispartition)
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS a
            JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = a.relid AND partstrat = 'h')
"""


@pytest.fixture(scope="session")
def featured(pg_server: PgServer) -> Iterator[PgDatabase]:
    """The database with every feature, on each server; only read."""
    name = f"featured_{os.getpid()}"
    pg_server.create_database(name)
    with pg_server.connect(name) as connection:
        build_features(connection, major=pg_server.major)
    yield PgDatabase(pg_server, name)
    pg_server.drop_database(name)


def independent_copy(connection: Connection, source: bytes, columns: bytes) -> list[bytes]:
    """The rows of one table by the driver's own COPY, sorted."""
    query = b"COPY (SELECT " + columns + b" FROM " + source + b") TO STDOUT"
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        return sorted(b"".join(bytes(block) for block in copy).splitlines(keepends=True))


def pinned(database: PgDatabase, encoding: str) -> Connection:
    """A connection of the test's own that prints as dbops wants it, in the server's encoding."""
    connection = database.connect()
    connection.execute(_PINNED)
    connection.execute(f"SET client_encoding = '{encoding}'".encode())
    return connection


def test_every_table_is_read_as_an_independent_copy_prints_it(featured: PgDatabase) -> None:
    """Under the most hostile settings each stream holds the rows that a plain COPY gives."""
    with (
        take_snapshot(parameters(featured), [featured.server.installation]) as snapshot,
        pinned(featured, "UTF8") as connection,
    ):
        sink = read_all(snapshot)
        hashed = {"lab.by_blood", "lab.order_line", "lab.no_partitions", "lab.order_2026_other"}
        for plan in snapshot.streams():
            if plan.name in row_streams(snapshot):
                only = b"" if plan.name in hashed else b"ONLY "
                source, columns = only + plan.name.encode(), plan.detail[COLUMNS].encode()
                assert sink.rows(plan.name) == independent_copy(connection, source, columns)
        names = {name.decode() for (name,) in connection.execute(_TABLES.encode())}
        read = {name for name in row_streams(snapshot) if name not in hashed}
        assert read == names


def test_rows_read_are_rows_counted(featured: PgDatabase) -> None:
    """The other connection counts exactly the rows read, of every stream of rows."""
    with take_snapshot(parameters(featured), [featured.server.installation]) as snapshot:
        sink = read_all(snapshot)
        facts = snapshot.facts(witness=True)
        snapshot.confirm()
    read = {
        name: str(len(sink.rows(name)))
        for name in sink.ranges
        if name not in (SCHEMA, GLOBALS, OBJECTS)
    }
    assert read == facts["count"]
    assert set(facts["witness"]) == {name for name in read if "." in name}


def test_facts_of_two_snapshots_are_the_same(featured: PgDatabase) -> None:
    """Facts depend on nothing but the database: neither on OIDs nor on the connection."""
    with take_snapshot(parameters(featured), [featured.server.installation]) as snapshot:
        first = snapshot.facts(witness=True)
    with take_snapshot(parameters(featured), [featured.server.installation]) as snapshot:
        assert snapshot.facts(witness=True) == first


def test_gaps_name_what_is_not_backed_up(featured: PgDatabase) -> None:
    """Foreign and unlogged tables and materialized views are gaps, with their reason."""
    with take_snapshot(parameters(featured), [featured.server.installation]) as snapshot:
        reasons = {gap.object: gap.reason.split(":")[0] for gap in snapshot.gaps}
    assert reasons["his.remote"] == "a foreign table"
    assert reasons["lab.unlogged"] == "an unlogged table"
    assert reasons["lab.stale"] == "a materialized view"
    assert "lab.order_default" not in reasons
    assert reasons["grants on information_schema.sql_parts"].startswith("in a system schema")


def test_ranges_hold_every_row_once_and_so_does_the_plain_copy(pg_database: PgDatabase) -> None:
    """Many ranges by TID and, for old servers, one range give the same rows."""
    with pg_database.connect() as connection:
        connection.execute(
            "CREATE TABLE big AS SELECT n, repeat('x', 900) AS pad FROM generate_series(1, 9000) n"
        )
        connection.execute("DELETE FROM big WHERE n % 3 = 0 OR n BETWEEN 2000 AND 6000")
        connection.execute("UPDATE big SET pad = 'moved' WHERE n % 100 = 1")
    rows, ranges = [], []
    for tid_ranges in (True, False):
        with take_snapshot(
            parameters(pg_database), [pg_database.server.installation], tid_ranges=tid_ranges
        ) as snapshot:
            sink = read_all(snapshot, "public.big")
        rows.append(sink.rows("public.big"))
        ranges.append(len(sink.ranges["public.big"]))
    with pinned(pg_database, "UTF8") as connection:
        assert rows[0] == independent_copy(connection, b"public.big", b"n, pad")
    assert rows[0] == rows[1]
    assert ranges[0] > 4
    assert ranges[1] == 1


def test_rows_that_appear_after_the_snapshot_are_not_read(pg_database: PgDatabase) -> None:
    """The last range has no end, and still holds nothing that the snapshot does not see."""
    with pg_database.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 500) AS n")
        with take_snapshot(parameters(pg_database), [pg_database.server.installation]) as snapshot:
            connection.execute("INSERT INTO t SELECT n FROM generate_series(501, 99999) AS n")
            sink = read_all(snapshot, "public.t")
    assert len(sink.rows("public.t")) == 500


@pytest.mark.parametrize("encoding", list(OddEncoding))
def test_other_encodings_are_read_unconverted(pg_server: PgServer, encoding: OddEncoding) -> None:
    """Rows and names come in the server's own bytes, whatever they are."""
    name = f"odd_{os.getpid()}_{encoding.lower()}"
    pg_server.create_database(name, encoding=encoding)
    try:
        database = PgDatabase(pg_server, name)
        with database.connect() as connection:
            build_encoding_database(connection, encoding=encoding)
        with (
            take_snapshot(parameters(database), [pg_server.installation]) as snapshot,
            pinned(database, encoding) as connection,
        ):
            sink = read_all(snapshot)
            codec = Encoding(encoding)
            names = [row[0] for row in connection.execute(_TABLES.encode()).fetchall()]
            assert {codec.decode(name) for name in names} == set(row_streams(snapshot))
            for plan in snapshot.streams():
                if plan.name in row_streams(snapshot):
                    source, columns = codec.encode(plan.name), codec.encode(plan.detail[COLUMNS])
                    expected = independent_copy(connection, source, columns)
                    assert sink.rows(plan.name) == expected
            read = {
                name: str(len(sink.rows(name))) for name in snapshot.facts(witness=True)["count"]
            }
            assert read == snapshot.facts(witness=False)["count"]
            assert len(names) > 0
    finally:
        pg_server.drop_database(name)


def test_a_huge_row_does_not_gather_in_memory(pg_database: PgDatabase) -> None:
    """A row of 60 MB of text reaches the sink in blocks of about 1 MiB."""
    with pg_database.connect() as connection:
        connection.execute("CREATE TABLE huge (picture bytea)")
        connection.execute("ALTER TABLE huge ALTER picture SET STORAGE EXTERNAL")
        connection.execute("INSERT INTO huge SELECT decode(repeat('5c2e0aff', 7500000), 'hex')")
    with take_snapshot(parameters(pg_database), [pg_database.server.installation]) as snapshot:
        sink = read_all(snapshot, "public.huge")
    (row,) = sink.rows("public.huge")
    assert len(row) == len(r"\\x") + 60_000_000 + 1
    assert sink.largest < 3 << 20


def test_sequences_stand_where_the_server_says(featured: PgDatabase) -> None:
    """The stream holds each sequence once, with its value and whether it was given out."""
    with take_snapshot(parameters(featured), [featured.server.installation]) as snapshot:
        rows = read_all(snapshot, SEQUENCES).rows(SEQUENCES)
        facts = snapshot.facts(witness=False)
    assert b"his\tset_not_called\t77\tf\n" in rows
    assert b"his\tdescending\t21\tt\n" in rows
    assert '检验 科."A";\\\\b\t序列 "s";\\n\t7\tt\n'.encode() in rows
    assert facts["sequence"]["his.set_not_called"].endswith("last 77 not called")


def test_large_objects_come_with_all_pages_and_their_settings(featured: PgDatabase) -> None:
    """The pages are those of pg_largeobject, and an empty object is a row of its own."""
    with (
        take_snapshot(parameters(featured), [featured.server.installation]) as snapshot,
        pinned(featured, "UTF8") as connection,
    ):
        sink = read_all(snapshot, LARGE_OBJECTS, LARGE_OBJECT_METADATA)
        stored = independent_copy(connection, b"pg_catalog.pg_largeobject", b"loid, pageno, data")
        empty = [b"16500001\t\\N\t\\N\n"]
    assert sink.rows(LARGE_OBJECTS) == sorted(stored + empty)
    metadata = sink.rows(LARGE_OBJECT_METADATA)
    assert metadata[1].split(b"\t")[1] == b"his_owner"
    assert metadata[0].endswith(b"\tempty\n")


def test_a_role_that_owns_its_large_objects_reads_them(pg_database: PgDatabase) -> None:
    """Without pg_largeobject the same bytes come through the server's functions."""
    with pg_database.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS lo_owner")
        connection.execute("CREATE ROLE lo_owner LOGIN")
        for number, size in enumerate((0, 1, 2048, 5000)):
            connection.execute(f"SELECT lo_from_bytea({7000 + number}, repeat('q', {size})::bytea)")
            connection.execute(f"ALTER LARGE OBJECT {7000 + number} OWNER TO lo_owner")
    programs = [pg_database.server.installation]
    with take_snapshot(parameters(pg_database), programs) as snapshot:
        as_superuser = read_all(snapshot, LARGE_OBJECTS).rows(LARGE_OBJECTS)
    with take_snapshot(parameters(pg_database, "lo_owner"), programs) as snapshot:
        as_owner = read_all(snapshot).rows(LARGE_OBJECTS)
        assert snapshot.facts(witness=False)["count"][LARGE_OBJECTS] == "6"
    assert as_owner == as_superuser
    assert len(as_owner) == 6


def test_dumps_are_there_and_whole(featured: PgDatabase) -> None:
    """The schema is an archive of pg_dump, the globals are SQL with every role."""
    with take_snapshot(parameters(featured), [featured.server.installation]) as snapshot:
        sink = read_all(snapshot, SCHEMA, GLOBALS)
    assert sink.ranges[SCHEMA][0].startswith(b"PGDMP")
    assert b"CREATE ROLE his_owner;" in sink.ranges[GLOBALS][0]
    assert b"SCRAM-SHA-256" in sink.ranges[GLOBALS][0]


def test_globals_of_another_role_hold_no_password(pg_database: PgDatabase) -> None:
    """Only a superuser's backup holds password hashes."""
    with pg_database.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS plain_reader")
        connection.execute("CREATE ROLE plain_reader LOGIN PASSWORD 'x'")
    params = parameters(pg_database, "plain_reader")
    with take_snapshot(params, [pg_database.server.installation]) as snapshot:
        text = read_all(snapshot, GLOBALS).ranges[GLOBALS][0]
    assert b"CREATE ROLE plain_reader;" in text
    assert b"SCRAM-SHA-256" not in text
