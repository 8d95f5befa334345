"""Many rows written back by few statements: in the right order, all of them, and nothing else."""

from __future__ import annotations

import pytest

from dbops.engines.postgresql.connect import connect
from dbops.engines.postgresql.repair_sets import read_carriers
from dbops.engines.postgresql.repair_shape import read_layout
from dbops.errors import Failed, Refused
from dbops.repair.ports import RepairSession
from dbops.repair.table import Change, Row
from tests.engines.postgresql.repair_database import PgSite
from tests.engines.repair_site import CANARY, NOTHING, begun, read, rows_of, sql

COUNTING = (
    "CREATE SEQUENCE statements",
    "CREATE FUNCTION count_statements() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " PERFORM nextval('public.statements'); RETURN NULL; END $$",
)


def table(site: PgSite, definition: str, *rows: str) -> None:
    """A table `t` that repairs may write, whose statements are counted."""
    site.run(
        *COUNTING,
        f"CREATE TABLE t ({definition})",
        *(f"INSERT INTO t VALUES {row}" for row in rows),
        "CREATE TRIGGER count_statements AFTER INSERT OR UPDATE OR DELETE ON t"
        " FOR EACH STATEMENT EXECUTE FUNCTION count_statements()",
        f"GRANT ALL ON statements TO {site.engine.repair_role}",
    )
    site.prepare("t")


def statements(session: RepairSession) -> int:
    """How many have written the table."""
    return int(session.check(sql("SELECT nextval('statements')"), NOTHING) or 0) - 1


def changed(row: Row, **values: bytes | None) -> Change:
    """The row gets these values, by the places of its columns: `_1` is the second."""
    after = tuple(values.get(f"_{place}", value) for place, value in enumerate(row))
    return Change((row[0] or b"",), row, after)


def test_updates_of_different_columns_are_gathered(site: PgSite) -> None:
    """Rows that change in other columns than their neighbours take no statement each."""
    table(
        site,
        "id integer PRIMARY KEY, a text, b text",
        "(generate_series(1, 2100), 'a', NULL)",
    )
    with begun(site) as session:
        shape = session.shape(site.table("t"))
        before = read(session, shape)
        changes = [
            changed(one.row, **({"_1": b"x"} if n % 3 else {"_1": None, "_2": b"y"}))
            for n, one in enumerate(before)
        ]
        assert session.apply(shape, changes) == 2100
        after = read(session, shape)
        assert statements(session) == 2 * 3
    assert rows_of(after) == [one.after for one in changes]


def test_unique_values_move_as_given(site: PgSite) -> None:
    """Where a value is free only when the row before it has let go of it, order is kept."""
    table(
        site,
        "id integer PRIMARY KEY, place integer UNIQUE, note text",
        "(1, 1, ''), (2, 2, ''), (3, 3, '')",
    )
    with begun(site) as session:
        shape = session.shape(site.table("t"))
        one, two, three = rows_of(read(session, shape))
        note = changed(three, _1=b"4", _2=b"last")
        moved = [note, changed(two, _1=b"3"), changed(one, _1=b"2")]
        assert session.apply(shape, moved) == 3
        assert rows_of(read(session, shape)) == [moved[2].after, moved[1].after, note.after]
    with begun(site) as session:
        with pytest.raises(Failed) as caught:
            session.apply(session.shape(site.table("t")), moved[::-1])
        assert caught.value.code == "constraint-violated"


@pytest.mark.parametrize(
    "index", ["(place) WHERE id > 0", "(abs(place))", "(note)", "(id) INCLUDE (place)"]
)
def test_what_a_unique_key_looks_at_is_known(site: PgSite, index: str) -> None:
    """Expressions, predicates, and keys of a partition alone count as well."""
    site.run(
        "CREATE TABLE t (id integer PRIMARY KEY, place integer, note text) PARTITION BY RANGE (id)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)",
        "ALTER TABLE t1 ALTER place SET NOT NULL",
    )
    with connect(site.engine.admin()) as session:
        layout = read_layout(session, site.table("t"), ())
        plain = read_carriers(session, layout)
        site.run(f"CREATE UNIQUE INDEX ON t1 {index}")
        found = read_carriers(session, layout)
    assert plain is not None
    assert found is not None
    assert plain.unique == {0}
    assert found.unique == ({0, 2} if "note" in index else {0, 1} if "INC" in index else {0, 1, 2})


def test_rows_come_back_in_their_order(site: PgSite) -> None:
    """An insert of many rows fires triggers in the order that was given, parents or not."""
    table(
        site, "id integer PRIMARY KEY, up integer REFERENCES t, n bigserial, v text COLLATE \"C\""
    )  # fmt: skip
    site.run(
        "CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.v = nextval('public.t_n_seq'); RETURN NEW; END $$",
        "CREATE TRIGGER number BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION number()",
    )
    ids = [5, 3, 9, 1, 2]
    rows: list[Row] = [
        (str(n).encode(), str(up).encode(), b"0", b"")
        for n, up in zip(ids, [3, 9, 9, 5, 1], strict=True)
    ]
    with begun(site) as session:
        shape = session.shape(site.table("t"))
        assert session.apply(shape, [Change((), None, row) for row in rows]) == 5
        found = {row[0]: row[3] for row in rows_of(read(session, shape))}
        assert statements(session) == 1
        assert [found[str(n).encode()] for n in ids] == [b"1", b"2", b"3", b"4", b"5"]
        gone = [Change((), row, None) for row in rows_of(read(session, shape))]
        assert session.apply(shape, gone) == 5


@pytest.mark.parametrize("what", ["update", "delete"])
def test_one_row_of_many_is_not_there(site: PgSite, what: str) -> None:
    """A statement that misses a row is refused as a whole, and says no value."""
    table(site, "id integer PRIMARY KEY, v text", "(generate_series(1, 20), 'v')")
    with begun(site) as session:
        shape = session.shape(site.table("t"))
        rows = [*rows_of(read(session, shape)), (b"99", CANARY.encode())]
        after = (lambda row: (row[0], b"x")) if what == "update" else lambda _: None
        with pytest.raises(Refused) as caught:
            session.apply(shape, [Change((), row, after(row)) for row in rows])
    assert caught.value.code == "row-count"
    assert caught.value.message == "writing rows of public.t back: 21 changes touched 20 rows"


def test_statements_are_bounded_by_bytes(site: PgSite) -> None:
    """Rows of three megabytes go two at a time, one of nine megabytes alone."""
    table(site, "id integer PRIMARY KEY, v text")
    sizes = [3, 3, 3, 9, 3]
    with begun(site) as session:
        shape = session.shape(site.table("t"))
        rows: list[Row] = [(str(n).encode(), b"v\\" * (size << 19)) for n, size in enumerate(sizes)]
        assert session.apply(shape, [Change((), None, row) for row in rows]) == 5
        assert statements(session) == 4
        assert rows_of(read(session, shape)) == rows


def test_types_are_not_looked_up_in_the_search_path(site: PgSite) -> None:
    """A type of the same name that stands earlier in the path of triggers is not meant."""
    site.run("CREATE TYPE pair AS (a integer, b text)")
    table(site, "id integer PRIMARY KEY, p pair, q pair[]", "(1, ROW(1, 'x'), '{NULL}')")
    site.run(
        "CREATE SCHEMA other",
        f"GRANT USAGE ON SCHEMA other TO {site.engine.repair_role}",
        "CREATE TYPE other.pair AS (b text)",
    )
    with begun(site, search_path=("other", "public")) as session:
        shape = session.shape(site.table("t"))
        rows = rows_of(read(session, shape))
        again = changed(rows[0], _1=b'(2,"y z")', _2=b'{"(3,)"}')
        assert session.apply(shape, [again]) == 1
        assert rows_of(read(session, shape)) == [again.after]
        assert statements(session) == 1
