"""What PostgreSQL tells of a transaction's writes, and what it tells of other doings."""

from __future__ import annotations

import pytest

from dbops.repair.ports import Writes
from dbops.repair.table import Change, TableName
from dbops.sql.written import Written
from tests.engines.postgresql.repair_database import PgSite
from tests.engines.repair_site import (
    NOTHING,
    begun,
    marker,
    order,
    read,
    rows_of,
    sql,
)

pytestmark = pytest.mark.usefixtures("hospital_tables")

PARTS = (
    "CREATE TABLE log (id integer, day integer, v text, PRIMARY KEY (id, day))"
    " PARTITION BY RANGE (day)",
    "CREATE TABLE log_a PARTITION OF log FOR VALUES FROM (0) TO (10)",
    "CREATE TABLE log_b PARTITION OF log FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (day)",
    "CREATE TABLE log_b1 PARTITION OF log_b FOR VALUES FROM (10) TO (20)",
    "INSERT INTO log SELECT n, n % 20, 'v' FROM generate_series(0, 39) AS n",
)


def writes_of(site: PgSite, *texts: str, temporary: tuple[str, ...] = ()) -> Writes:
    """What is counted when these statements have run; they are rolled back."""
    with begun(site, temporary=temporary) as session:
        for text in texts:
            session.run(sql(text), NOTHING)
        session.settle()
        return session.writes([site.table("visit"), site.table("log"), site.table("log_b")])


def block(text: str) -> str:
    """An anonymous block, in which anything can be hidden."""
    return f"DO $$ BEGIN {text}; END $$"


def test_partitions_count_at_the_declared_table(site: PgSite) -> None:
    """The nearest declared table above counts; a move is a delete and an insert."""
    site.run(*PARTS)
    site.prepare("log", "log_a", "log_b")
    assert writes_of(site, "UPDATE log SET v = 'x' WHERE day IN (1, 11)").tables == {
        site.table("log"): Written(updated=2),
        site.table("log_b"): Written(updated=2),
    }
    with begun(site) as session:
        session.run(sql("UPDATE log SET day = day + 10 WHERE day = 1"), NOTHING)
        leaves = session.writes([])
        whole = session.writes([site.table("log")])
        assert session.own_rows(session.shape(site.table("log"))) == 2
    assert leaves.tables == {
        site.table("log_a"): Written(deleted=2),
        site.table("log_b1"): Written(inserted=2),
    }
    assert whole.tables == {site.table("log"): Written(inserted=2, deleted=2)}
    assert leaves.objections == whole.objections == ()


def test_rows_of_partitions_are_read_as_rows_of_their_table(site: PgSite) -> None:
    """They are read, locked, looked up and written back by the table's key, wherever they lie."""
    site.run(*PARTS)
    site.prepare("log")
    with begun(site) as session:
        shape = session.shape(site.table("log"))
        before = read(session, shape, lock=True)
        session.run(sql("UPDATE log SET day = 19 - day, v = 'x' WHERE id < 10"), NOTHING)
        after = read(session, shape)
        assert len(after) == len(before) == 40
        assert {int(one.row[0] or 0) for one in after if one.own} == set(range(10))
        wanted = [one.order for one in after if one.own]
        moved = session.fetch(shape, wanted, lock=True)
        assert sorted(one.order for one in moved) == sorted(wanted)
        back = [Change(one.order, one.row, None) for one in moved]
        gone = {one.order for one in before} - {one.order for one in after}
        back += [Change(one.order, None, one.row) for one in before if one.order in gone]
        assert session.apply(shape, back) == 20
        assert rows_of(read(session, shape)) == rows_of(before)


def test_attempts_that_were_taken_back_stay_counted(site: PgSite) -> None:
    """A function that catches its exception after writing is found out."""
    caught = block(
        "BEGIN UPDATE visit SET note = 'x' WHERE id = 1; RAISE division_by_zero;"
        " EXCEPTION WHEN division_by_zero THEN NULL; END"
    )
    assert writes_of(site, caught).tables == {site.table("visit"): Written(updated=1)}


def test_rows_of_subtransactions_are_own(site: PgSite) -> None:
    """Rows written below a savepoint of a function bear a later id, and are told all the same."""
    inner = block(
        "BEGIN UPDATE visit SET note = 'x' WHERE id = 1; EXCEPTION WHEN others THEN NULL; END;"
        " UPDATE visit SET note = 'y' WHERE id = 2"
    )
    with begun(site) as session:
        shape = session.shape(site.table("visit"))
        first = read(session, shape, lock=True)
        session.run(sql(inner), NOTHING)
        found = read(session, shape)
        assert session.own_rows(shape) == 2
    assert not any(one.own for one in first)
    assert {one.row[0] for one in found if one.own} == {b"1", b"2"}


def test_rows_that_others_committed_are_not_own(site: PgSite) -> None:
    """What committed just before, and what commits meanwhile, is nobody's own here."""
    site.run("UPDATE visit SET note = 'before'")
    with begun(site) as session:
        shape = session.shape(site.table("visit"))
        session.run(sql("UPDATE visit SET note = 'x' WHERE id = 1"), NOTHING)
        site.run("UPDATE visit SET note = 'meanwhile' WHERE id = 3")
        assert session.own_rows(shape) == 1
        assert [one.row[2] for one in read(session, shape) if not one.own] == [b"before"] * 3


def test_counts_of_an_earlier_transaction_are_none_of_this(site: PgSite) -> None:
    """What the server has not yet passed on from an earlier transaction is left out."""
    with site.engine.session(order()) as session:
        session.begin()
        session.run(sql("UPDATE visit SET note = 'x'"), NOTHING)
        session.rollback()
        session.begin()
        session.run(sql("UPDATE visit SET note = 'x' WHERE id = 1"), NOTHING)
        assert session.writes([]).tables == {site.table("visit"): Written(updated=1)}


@pytest.mark.parametrize(
    ("text", "objection"),
    [
        ("TRUNCATE bill", "locked public.bill"),
        ("LOCK TABLE bill IN EXCLUSIVE MODE", "locked public.bill"),
        ("CREATE TABLE sly (id integer)", "wrote to the catalogue pg_class"),
        ("ALTER TABLE bill ADD COLUMN sly text", "wrote to the catalogue pg_attribute"),
        ("DROP MATERIALIZED VIEW sums", "dropped a relation"),
        ("CREATE INDEX ON bill (amount)", "locked public.bill"),
        ("GRANT SELECT ON bill TO PUBLIC", "wrote to the catalogue pg_class"),
        ("COMMENT ON TABLE bill IS 'x'", "wrote to the catalogue pg_description"),
        ("ALTER TABLE bill DISABLE TRIGGER USER", "locked public.bill"),
        ("PERFORM lo_from_bytea(0, 'x')", "wrote to the catalogue pg_largeobject"),
        ("CREATE TEMP TABLE sly (id integer)", "made the temporary table sly"),
        ("REFRESH MATERIALIZED VIEW sums", "locked public.sums"),
    ],
)
def test_what_no_repair_may_do_is_an_objection(site: PgSite, text: str, objection: str) -> None:
    """Whatever a block hides shows in catalogue and locks, even where the role may do it."""
    owner = site.engine.repair_role
    site.run("CREATE MATERIALIZED VIEW sums AS SELECT sum(amount) FROM bill")
    site.run(f"ALTER TABLE bill OWNER TO {owner}", f"ALTER MATERIALIZED VIEW sums OWNER TO {owner}",
             f"GRANT CREATE ON SCHEMA public TO {owner}")  # fmt: skip
    with begun(site, temporary=("ids",)) as session:
        session.run(sql(block(text)), NOTHING)
        writes = session.writes([site.table("bill")])
    assert any(objection in one for one in writes.objections), writes.objections


def test_select_into_makes_no_table_unseen(site: PgSite) -> None:
    """It is a SELECT by its first word, and a definition by what it does."""
    site.run(f"GRANT CREATE ON SCHEMA public TO {site.engine.repair_role}")
    writes = writes_of(site, "SELECT id INTO sly FROM visit")
    assert any("pg_class" in one for one in writes.objections)


def test_declared_temporary_tables_may_have_everything(site: PgSite) -> None:
    """Keys, defaults, sequences, indexes and long texts of theirs are no objection."""
    writes = writes_of(
        site,
        "/* the rows */ CREATE TEMPORARY TABLE Ids (id serial PRIMARY KEY, at date DEFAULT now(),"
        " v text CHECK (length(v) > 0), o integer GENERATED ALWAYS AS IDENTITY) ON COMMIT DROP",
        "INSERT INTO ids (v) SELECT repeat('x', 100000) FROM visit",
        block("CREATE INDEX ON ids (v) WHERE id > 99"),
        "UPDATE visit SET note = 'x' WHERE id IN (SELECT id FROM pg_temp.ids)",
        "DELETE FROM ids",
        temporary=("ids",),
    )
    assert writes.objections == ()
    assert writes.tables == {site.table("visit"): Written(updated=3)}


def test_temporary_tables_hide_no_definition(site: PgSite) -> None:
    """Beside a declared temporary table a grant is still seen."""
    site.run(f"ALTER TABLE bill OWNER TO {site.engine.repair_role}")
    writes = writes_of(
        site,
        "CREATE TEMP TABLE ids (id integer)",
        block("GRANT SELECT ON bill TO PUBLIC"),
        temporary=("ids",),
    )
    assert [one for one in writes.objections if "pg_class" in one]


def test_sequences_are_named(site: PgSite) -> None:
    """A sequence that was advanced is told: no rollback turns it back."""
    site.run("CREATE TABLE numbered (id serial PRIMARY KEY, v text)")
    site.prepare("numbered")
    writes = writes_of(site, "INSERT INTO numbered (v) VALUES ('x')")
    assert writes.sequences == ("public.numbered_id_seq",)
    assert writes.objections == ()


def test_foreign_tables_are_an_objection(site: PgSite) -> None:
    """What lies on another server is not in this transaction."""
    server, role = site.database.server, site.engine.repair_role
    site.run(
        "CREATE EXTENSION postgres_fdw SCHEMA public",
        "CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS"
        f" (host '{server.socket_directory}', port '{server.port}', dbname"
        f" '{site.database.name}')",
        f"CREATE USER MAPPING FOR {role} SERVER here OPTIONS"
        f" (user '{server.superuser}', password_required 'false')",
        "CREATE FOREIGN TABLE far (id integer, note text) SERVER here"
        " OPTIONS (table_name 'visit', schema_name 'public')",
        f"GRANT SELECT, UPDATE ON far TO {role}",
    )
    writes = writes_of(site, "UPDATE far SET note = 'x' WHERE id = 1")
    assert "it may have written to the foreign table public.far" in writes.objections
    site.run("DROP EXTENSION postgres_fdw CASCADE")


def test_forged_markers_are_an_objection(site: PgSite) -> None:
    """A script cannot write dbops' own table unseen."""
    forged = (
        "INSERT INTO dbops.dbops_run (run, work, plan, kind, batch, bundle)"
        " VALUES ('f', 'f', 'f', 'repair', 0, 'f')"
    )
    with begun(site) as session:
        session.run(sql(forged), NOTHING)
        session.mark(marker("r1"))
        writes = session.writes([])
    assert writes.tables == {}
    assert writes.objections == ("it wrote to dbops.dbops_run, which only dbops may write",)


def test_deferred_triggers_are_counted(site: PgSite) -> None:
    """What a deferred trigger writes is there once the session has settled."""
    site.run(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO audit VALUES (NEW.id, 'late'); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON visit DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION late()",
    )
    with begun(site) as session:
        session.run(sql("UPDATE visit SET note = 'x' WHERE id = 1"), NOTHING)
        assert site.table("audit") not in session.writes([]).tables
        session.settle()
        assert session.writes([]).tables[site.table("audit")] == Written(inserted=1)


def test_ordinary_views_and_rules_count_at_their_tables(site: PgSite) -> None:
    """A write through a view is one to its table; a quiet merge of nothing counts nothing."""
    site.run("CREATE VIEW seen AS SELECT id, note FROM visit")
    site.run(f"GRANT SELECT, UPDATE ON seen TO {site.engine.repair_role}")
    writes = writes_of(
        site,
        "UPDATE seen SET note = 'x' WHERE id = 1",
        "INSERT INTO ward VALUES ('OLD', 'x') ON CONFLICT DO NOTHING",
        "MERGE INTO visit USING ward ON visit.ward = ward.code AND ward.code = 'ORT'"
        " WHEN MATCHED AND id = 10 THEN DELETE",
    )
    assert writes.objections == ()
    assert writes.tables == {site.table("visit"): Written(updated=1, deleted=1)}


def test_names_of_tables_are_in_full(site: PgSite) -> None:
    """Tables of the same name in two schemas are two tables."""
    site.run("CREATE SCHEMA his", "CREATE TABLE his.visit (id integer PRIMARY KEY)")
    site.prepare("his.visit")
    writes = writes_of(site, "INSERT INTO his.visit VALUES (1)", "DELETE FROM visit WHERE id = 3")
    assert writes.tables == {
        TableName("his", "visit"): Written(inserted=1),
        TableName("public", "visit"): Written(deleted=1),
    }
