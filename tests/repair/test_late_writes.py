"""What still happens at COMMIT, or while rows are read, cannot write behind the judgement."""

from __future__ import annotations

import pytest

from dbops.errors import DbopsError
from dbops.repair.manifest import Repair
from tests.repair.bench import Bench, repair, watch

MOVE = "UPDATE visit SET dept = 'ORT' WHERE id <= 2"


@pytest.fixture
def ward(postgresql_bench: Bench) -> Bench:
    """Four visits, a bill for each, and a log; functions that write to the log."""
    postgresql_bench.site.run(
        "CREATE TABLE visit (id integer PRIMARY KEY, dept text)",
        "CREATE TABLE bill (id integer PRIMARY KEY, n integer)",
        "CREATE TABLE log (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m text)",
        "INSERT INTO visit SELECT g, 'OLD' FROM generate_series(1, 4) g",
        "INSERT INTO bill SELECT g, 0 FROM generate_series(1, 4) g",
        "CREATE FUNCTION sly() RETURNS integer LANGUAGE plpgsql"
        " SET search_path = public AS $$ BEGIN"
        " INSERT INTO log (m) VALUES ('x'); RETURN 1; END $$",
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql"
        " SET search_path = public AS $$ BEGIN"
        " PERFORM sly(); RETURN NULL; END $$",
    )
    postgresql_bench.site.prepare("visit", "bill", "log")
    return postgresql_bench


def moving(**more: object) -> Repair:
    return repair(watch("visit", "id <= 2", update=2, may_change=["dept"]), **more)  # type: ignore[arg-type]


def refused(bench: Bench, manifest: Repair, sql: str) -> DbopsError:
    """The refusal; nothing was written and nothing is left."""
    before = [bench.rows(table) for table in ("visit", "bill", "log")]
    with pytest.raises(DbopsError) as caught:
        bench.run(manifest, sql)
    assert [bench.rows(table) for table in ("visit", "bill", "log")] == before
    assert bench.files == []
    return caught.value


def deferred(bench: Bench, table: str, function: str) -> None:
    bench.site.run(
        f"CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED"
        f" FOR EACH ROW EXECUTE FUNCTION {function}()"
    )


def test_a_deferred_trigger_that_defers_again(ward: Bench) -> None:
    """One that puts constraints off again while they are checked wins nothing by that."""
    ward.site.run(
        "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql"
        " SET search_path = public AS $$ BEGIN"
        " SET CONSTRAINTS ALL DEFERRED; UPDATE bill SET n = NEW.id WHERE id = NEW.id;"
        " RETURN NULL; END $$"
    )
    deferred(ward, "visit", "again")
    deferred(ward, "bill", "late")
    manifest = repair(
        watch("visit", "id <= 2", update=2, may_change=["dept"]),
        watch("bill", "id <= 2", update=2, may_change=["n"]),
    )
    assert refused(ward, manifest, MOVE).code == "undeclared-write"


def test_a_cursor_that_is_held_beyond_commit(ward: Bench) -> None:
    """COMMIT would run its query to the end, and what that calls."""
    held = "EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT public.sly()'"
    script = f"{MOVE}; DO $$ BEGIN {held}; END $$"
    assert refused(ward, moving(), script).code == "forbidden-write"


def test_a_predicate_that_writes_after_the_script(ward: Bench) -> None:
    """Rows that are written while they are read again are not committed, not even with rewrites."""
    ward.site.run(
        "CREATE FUNCTION look(n integer, d text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        " IF d = 'ORT' THEN UPDATE public.visit SET dept = 'SLY' WHERE id = n; END IF;"
        " RETURN n <= 2; END $$"
    )
    watched = watch("visit", "look(id, dept)", update=2, may_change=["dept"], rewrites=True)
    assert refused(ward, repair(watched), MOVE).code == "undeclared-write"


def test_a_predicate_that_writes_before_the_script(ward: Bench) -> None:
    """What is read as the rows before is what was there before."""
    ward.site.run(
        "CREATE FUNCTION look(n integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE public.visit SET dept = 'SLY' WHERE id = n AND n <= 2 AND dept = 'OLD';"
        " RETURN true; END $$"
    )
    watched = (
        watch("bill", "look(id)"),
        watch("visit", "id <= 2", update=2, may_change=["dept"], rewrites=True),
    )
    assert refused(ward, repair(*watched), MOVE).code == "undeclared-write"


@pytest.mark.parametrize(
    ("timing", "body"),
    [
        ("BEFORE", "RETURN NULL"),
        ("BEFORE", "NEW.run := 'other'; RETURN NEW"),
        ("AFTER", "DELETE FROM dbops.dbops_run; RETURN NULL"),
    ],
)
def test_a_marker_that_a_trigger_changes(ward: Bench, timing: str, body: str) -> None:
    """A run that would leave no marker, or another, does not commit."""
    ward.site.run(
        "CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        f" $$ BEGIN {body}; END $$",
        f"CREATE TRIGGER t {timing} INSERT ON dbops.dbops_run FOR EACH ROW EXECUTE FUNCTION mark()",
    )
    assert refused(ward, moving(), MOVE).code == "undeclared-write"


@pytest.mark.parametrize(
    ("timing", "body"),
    [
        ("BEFORE", "SELECT RAISE(IGNORE)"),
        ("AFTER", "UPDATE dbops_run SET run = 'other'"),
        ("AFTER", "DELETE FROM dbops_run"),
    ],
)
def test_a_marker_that_a_trigger_changes_in_sqlite(
    sqlite_bench: Bench, timing: str, body: str
) -> None:
    """The same of a SQLite file."""
    sqlite_bench.site.run(
        "CREATE TABLE visit (id integer PRIMARY KEY, dept text)",
        "INSERT INTO visit VALUES (1, 'OLD'), (2, 'OLD')",
    )
    sqlite_bench.site.prepare("visit")
    sqlite_bench.site.run(f"CREATE TRIGGER t {timing} INSERT ON dbops_run BEGIN {body}; END")
    with pytest.raises(DbopsError) as caught:
        sqlite_bench.run(moving(), MOVE)
    assert caught.value.code == "undeclared-write"
    assert sqlite_bench.rows("visit") == [(1, "OLD"), (2, "OLD")]
