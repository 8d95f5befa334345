"""What every repair engine must do; each engine's tests inherit these classes.

A test class of an engine is empty but for the fixture `site` (see `repair_site.Site`). The SQL
here is what all engines understand; what is an engine's own stands in its own tests. This is the
reading and running half; `repair_suite_writes` has counting, writing back and markers.
"""

from __future__ import annotations

import pytest

from dbops.errors import DbopsError, NotFound, Refused
from dbops.repair.ports import Binding, RepairSession, Strength
from dbops.repair.table import TableName, Value
from dbops.sql.statement import Identifier, RowColumn
from dbops.sql.written import Written
from tests.engines.repair_site import (
    ALL,
    CANARY,
    NOTHING,
    Site,
    begun,
    bound,
    hospital,
    integers,
    read,
    rows_of,
    sql,
    texts,
)


class Reading:
    """Shapes, readings and look-ups."""

    def test_a_reading_holds_the_rows_of_the_predicate(self, site: Site) -> None:
        """A reading has each row for which the predicate holds, all columns, NULL told from ''."""
        hospital(site)
        with begun(site) as session:
            shape = session.shape(site.table("visit"))
            found = read(session, shape, sql("ward = ", bound("ward")), texts(ward="OLD"))
        assert shape.names == ("id", "ward", "note")
        assert rows_of(found) == [(b"1", b"OLD", b"a"), (b"2", b"OLD", b"")]

    def test_a_reading_ascends_by_its_order(self, site: Site) -> None:
        """Rows ascend by `order` as bytes, whatever the type of the key."""
        site.run("CREATE TABLE t (a integer NOT NULL, b text NOT NULL, PRIMARY KEY (a, b))")
        for a in (-2, 5, 10, 9, 100):
            site.run(f"INSERT INTO t VALUES ({a}, 'z'), ({a}, 'Z'), ({a}, 'é'), ({a}, '中文 😀')")
        site.prepare("t")
        with begun(site) as session:
            shape = session.shape(site.table("t"))
            found = [one.order for one in session.read(shape, ALL, NOTHING, lock=True)]
        assert len(found) == 20
        assert found == sorted(set(found))

    def test_a_long_reading_is_whole(self, site: Site) -> None:
        """Thousands of rows come once each."""
        site.run("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)")
        numbers = ", ".join(f"({n}, 'v{n}')" for n in range(5000))
        site.run(f"INSERT INTO t VALUES {numbers}")
        site.prepare("t")
        with begun(site) as session:
            found = read(session, session.shape(site.table("t")))
        assert {one.row for one in found} == {
            (str(n).encode(), f"v{n}".encode()) for n in range(5000)
        }
        assert len(found) == 5000

    def test_rows_are_found_by_their_orders(self, site: Site) -> None:
        """`fetch` gives those rows that are there, as a reading gives them; absent ones not."""
        site.run(
            "CREATE TABLE t (a integer NOT NULL, b text NOT NULL, v text, PRIMARY KEY (b, a))",
            "INSERT INTO t VALUES (1, 'x', 'p'), (2, 'x', ''), (2, '中', NULL)",
        )
        site.prepare("t")
        with begun(site) as session:
            shape = session.shape(site.table("t"))
            all_rows = read(session, shape)
            gone = tuple(b"77" if part.isdigit() else part for part in all_rows[0].order)
            found = session.fetch(shape, [*(one.order for one in all_rows), gone], lock=True)
            assert session.fetch(shape, [], lock=False) == []
        assert sorted(found) == all_rows

    def test_a_shape_tells_key_and_references(self, site: Site) -> None:
        """The shape has the key, and the foreign keys in both directions."""
        hospital(site)
        with begun(site) as session:
            visit = session.shape(site.table("visit"))
            audit = session.shape(site.table("audit"))
        assert visit.table == site.table("visit")
        assert visit.key_names == ("id",)
        assert audit.key_names == ("visit", "what")
        (down,), (up,) = visit.incoming, visit.outgoing
        assert (down.child, down.columns) == (site.table("bill"), ("visit",))
        assert (down.target, down.target_columns) == (site.table("visit"), ("id",))
        assert (up.child, up.columns) == (site.table("visit"), ("ward",))
        assert (up.target, up.target_columns) == (site.table("ward"), ("code",))

    def test_a_table_without_a_key_has_none(self, site: Site) -> None:
        """Neither a plain column nor a unique one that may be NULL is a key."""
        site.run("CREATE TABLE t (a integer UNIQUE, b text)")
        site.prepare("t")
        with begun(site) as session:
            assert session.shape(site.table("t")).key == ()

    def test_a_unique_key_without_null_is_a_key(self, site: Site) -> None:
        """Where there is no primary key, a unique key whose columns refuse NULL identifies rows."""
        site.run("CREATE TABLE t (a integer, b text NOT NULL UNIQUE)")
        site.prepare("t")
        with begun(site) as session:
            assert session.shape(site.table("t")).key_names == ("b",)

    def test_the_digest_of_a_shape_follows_the_schema(self, site: Site) -> None:
        """It is the same in another session, and another once a column is added."""
        hospital(site)
        with begun(site) as session:
            first = session.shape(site.table("visit")).sha256
        with begun(site) as session:
            again = session.shape(site.table("visit")).sha256
        site.run("ALTER TABLE visit ADD COLUMN later text")
        with begun(site) as session:
            changed = session.shape(site.table("visit")).sha256
        assert first == again != changed

    def test_no_such_table(self, site: Site) -> None:
        """A table that is not there is said by its name."""
        hospital(site)
        with begun(site) as session, pytest.raises(NotFound) as caught:
            session.shape(site.table("nobody"))
        assert caught.value.code == "no-table"
        assert "nobody" in caught.value.message

    def test_a_view_is_no_table(self, site: Site) -> None:
        """Only tables can be watched."""
        hospital(site)
        site.run("CREATE VIEW seen AS SELECT id FROM visit")
        with begun(site) as session, pytest.raises(Refused) as caught:
            session.shape(site.table("seen"))
        assert caught.value.code == "table-kind"

    def test_a_table_without_schema_is_looked_up(self, site: Site) -> None:
        """The shape has the name in full, as the catalogue spells it."""
        hospital(site)
        with begun(site) as session:
            assert session.shape(TableName("", "visit")).table == site.table("visit")

    def test_columns_come_from_the_catalogue(self, site: Site) -> None:
        """A column parameter must name a column of its table."""
        hospital(site)
        with begun(site) as session:
            assert session.column(site.table("visit"), "ward") == "ward"
            with pytest.raises(NotFound) as caught:
                session.column(site.table("visit"), "nothing")
        assert caught.value.code == "no-column"

    def test_conditions_yield_one_value(self, site: Site) -> None:
        """A check is the text of its one value; NULL is None."""
        hospital(site)
        with begun(site) as session:
            count = sql("SELECT count(*) FROM visit WHERE ward = ", bound("ward"))
            assert session.check(count, texts(ward="OLD")) == b"2"
            assert session.check(sql("SELECT note FROM visit WHERE id = 3"), NOTHING) is None

    @pytest.mark.parametrize(
        "query", ["SELECT id FROM visit", "SELECT id FROM visit WHERE id = 99", "SELECT 1, 2"]
    )
    def test_conditions_of_another_form(self, site: Site, query: str) -> None:
        """No row, several rows and several columns are no value."""
        hospital(site)
        with begun(site) as session, pytest.raises(Refused) as caught:
            session.check(sql(query), NOTHING)
        assert caught.value.code == "condition-form"


class Running:
    """Scripts: what may run, and how its parameters are bound."""

    def test_a_statement_says_how_many_rows(self, site: Site) -> None:
        """The server's count of rows is returned, and the change is seen in the transaction."""
        hospital(site)
        with begun(site) as session:
            change = sql("UPDATE visit SET ward = ", bound("to"), " WHERE ward = ", bound("from"))
            assert session.run(change, texts(**{"to": "ORT", "from": "OLD"})) == 2
            assert session.check(sql("SELECT count(*) FROM visit WHERE ward = 'OLD'"), NOTHING) == (
                b"0"
            )

    def test_nothing_is_left_without_commit(self, site: Site) -> None:
        """A session whose context ends is rolled back."""
        hospital(site)
        with begun(site) as session:
            session.run(sql("DELETE FROM bill"), NOTHING)
        assert site.rows("SELECT count(*) FROM bill") == [(3,)]

    def test_commit_keeps_and_rollback_does_not(self, site: Site) -> None:
        """What was committed is seen by others; what was rolled back is not."""
        hospital(site)
        with begun(site) as session:
            session.run(sql("DELETE FROM bill WHERE id = 1"), NOTHING)
            session.commit()
        with begun(site) as session:
            session.run(sql("DELETE FROM bill WHERE id = 2"), NOTHING)
            session.rollback()
        assert site.rows("SELECT id FROM bill ORDER BY id") == [(2,), (3,)]

    def test_parameters_are_bound_not_pasted(self, site: Site) -> None:
        """A value that looks like SQL is a value."""
        hospital(site)
        odd = "x'; DELETE FROM bill; -- %s $1 ? :a 中文 😀"
        with begun(site) as session:
            session.run(sql("UPDATE visit SET note = ", bound("v"), " WHERE id = 1"), texts(v=odd))
            session.commit()
        assert site.rows("SELECT note FROM visit WHERE id = 1") == [(odd,)]
        assert site.rows("SELECT count(*) FROM bill") == [(3,)]

    def test_parameters_of_every_type(self, site: Site) -> None:
        """Typed values compare with columns of their type, and NULL is NULL."""
        hospital(site)
        with begun(site) as session:
            change = sql(
                "UPDATE bill SET amount = amount + ", bound("n"), " WHERE id = ", bound("id")
            )
            assert session.run(change, integers(n=5, id=3)) == 1
            null = sql("UPDATE visit SET note = ", bound("v"), " WHERE id = 1")
            assert session.run(null, texts(v=None)) == 1
            found = session.check(sql("SELECT amount FROM bill WHERE id = 3"), NOTHING)
            gone = session.check(sql("SELECT note FROM visit WHERE id = 1"), NOTHING)
        assert (found, gone) == (b"305", None)

    def test_percent_and_question_marks_are_text(self, site: Site) -> None:
        """No driver's own placeholders are understood in the text of a script."""
        hospital(site)
        with begun(site) as session:
            change = sql("UPDATE visit SET note = '50% ?s %s %% $1' WHERE id = ", bound("id"))
            assert session.run(change, integers(id=1)) == 1
            found = session.check(sql("SELECT note FROM visit WHERE id = 1"), NOTHING)
        assert found == b"50% ?s %s %% $1"

    def test_identifiers_are_quoted(self, site: Site) -> None:
        """Names with blanks, quotes and capitals are found as the catalogue spells them."""
        site.run(
            'CREATE TABLE "Odd "" Name" (id integer NOT NULL PRIMARY KEY, "a ""B" text)',
            'INSERT INTO "Odd "" Name" VALUES (1, \'x\')',
        )
        site.prepare('Odd " Name')
        table = site.table('Odd " Name')
        with begun(site) as session:
            column = session.column(table, 'a "B')
            binding = Binding({}, {"t": table, "c": column})
            change = sql("UPDATE ", Identifier("t"), " SET ", Identifier("c"), " = 'y'")
            assert session.run(change, binding) == 1
            assert rows_of(read(session, session.shape(table))) == [(b"1", b"y")]

    def test_rows_run_once_each(self, site: Site) -> None:
        """A statement on a set of rows runs once for each, beside the other parameters."""
        hospital(site)
        change = sql(
            "UPDATE visit SET note = ",
            RowColumn("lost", "note"),
            " WHERE id = ",
            RowColumn("lost", "id"),
            " AND ward = ",
            bound("ward"),
        )
        rows: list[dict[str, Value]] = [
            {"id": b"1", "note": "修".encode()},
            {"id": b"2", "note": None},
            {"id": b"10", "note": b"never"},
        ]
        with begun(site) as session:
            assert session.run_rows(change, texts(ward="OLD"), "lost", rows) == 2
            session.commit()
        assert site.rows("SELECT note FROM visit ORDER BY id") == [
            ("修",),
            (None,),
            (None,),
            ("d",),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "COMMIT",
            "ROLLBACK",
            "BEGIN",
            "SAVEPOINT s",
            "RELEASE s",
            "END",
            "/* a */ -- b\n COMMIT",
            "commit",
        ],
    )
    def test_transaction_control_is_refused(self, site: Site, text: str) -> None:
        """A script cannot end the transaction or nest another, however it is written."""
        hospital(site)
        with begun(site) as session:
            session.run(sql("DELETE FROM bill WHERE id = 1"), NOTHING)
            with pytest.raises(Refused) as caught:
                session.run(sql(text), NOTHING)
        assert caught.value.code == "transaction-control"
        assert site.rows("SELECT count(*) FROM bill") == [(3,)]

    @pytest.mark.parametrize(
        "text", ["CREATE TABLE other (id integer)", "DROP TABLE bill", "VACUUM", "ANALYZE"]
    )
    def test_only_statements_on_data_run(self, site: Site, text: str) -> None:
        """Definitions and maintenance are no repair."""
        hospital(site)
        with begun(site) as session, pytest.raises(Refused):
            session.run(sql(text), NOTHING)
        assert site.rows("SELECT count(*) FROM bill") == [(3,)]

    def test_declared_temporary_tables_can_be_made(self, site: Site) -> None:
        """They are made, written and read, and leave nothing and count nothing."""
        hospital(site)
        with begun(site, temporary=("ids",)) as session:
            session.run(
                sql("CREATE TEMP TABLE ids AS SELECT id FROM visit WHERE ward = 'OLD'"), NOTHING
            )
            session.run(sql("INSERT INTO ids VALUES (10)"), NOTHING)
            change = sql("UPDATE visit SET note = 'x' WHERE id IN (SELECT id FROM ids)")
            assert session.run(change, NOTHING) == 3
            session.settle()
            writes = session.writes([site.table("visit")])
            session.commit()
        assert writes.objections == ()
        if site.engine.traits.counters is Strength.EXACT:
            assert writes.tables == {site.table("visit"): Written(updated=3)}

    def test_other_temporary_tables_are_refused(self, site: Site) -> None:
        """What was not declared is not made."""
        hospital(site)
        with begun(site, temporary=("ids",)) as session, pytest.raises(Refused):
            session.run(sql("CREATE TEMP TABLE others (id integer)"), NOTHING)

    def test_a_read_only_session_writes_nothing(self, site: Site) -> None:
        """It reads and checks, and refuses to write."""
        hospital(site)
        with begun(site, read_only=True) as session:
            assert len(read(session, session.shape(site.table("visit")))) == 4
            with pytest.raises(DbopsError):
                session.run(sql("DELETE FROM bill"), NOTHING)
        assert site.rows("SELECT count(*) FROM bill") == [(3,)]

    @pytest.mark.parametrize(
        "text",
        [
            f"INSERT INTO ward (code, name) VALUES ('OLD', '{CANARY}')",
            f"INSERT INTO visit (id, ward) VALUES (99, '{CANARY}')",
            f"INSERT INTO small (code) VALUES ('{CANARY}')",
            f"SELECT '{CANARY}' FROM {CANARY.replace('-', '_')}",
        ],
    )
    def test_errors_hold_no_values(self, site: Site, text: str) -> None:
        """A broken constraint is told by code and names, never by what was written."""
        hospital(site)
        site.run("CREATE TABLE small (code text NOT NULL PRIMARY KEY CHECK (length(code) < 4))")
        site.prepare("small")
        with begun(site) as session, pytest.raises(DbopsError) as caught:
            _run_whole(session, text)
        said = f"{caught.value.code} {caught.value.message} {caught.value.hint}"
        assert CANARY not in said
        assert CANARY.replace("-", "_") not in said
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def _run_whole(session: RepairSession, text: str) -> None:
    """A deferred constraint may speak late."""
    session.run(sql(text), NOTHING)
    session.settle()
    session.commit()
