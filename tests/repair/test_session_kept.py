"""What a manifest, or what it calls, changes in a PostgreSQL session cannot change what is read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.engines.postgresql.connect import Parameters
from dbops.engines.postgresql.repair import PostgresqlRepairEngine
from dbops.errors import DbopsError
from dbops.repair.manifest import Repair
from tests.engines.postgresql.repair_database import pg_site
from tests.fix_postgresql import PgServer
from tests.repair.bench import Bench, holds, repair, watch

MOVE = "UPDATE public.visit SET dept = 'ORT' WHERE id <= 2"


@pytest.fixture
def ward(postgresql_bench: Bench) -> Bench:
    """Four visits with a number of many digits."""
    postgresql_bench.site.run(
        "CREATE TABLE visit (id integer PRIMARY KEY, dept text, dose double precision)",
        "INSERT INTO visit SELECT g, 'OLD', 0.1::float8 + 0.2::float8 FROM generate_series(1, 4) g",
    )
    postgresql_bench.site.prepare("visit")
    return postgresql_bench


def refused(bench: Bench, manifest: Repair, sql: str) -> DbopsError:
    """The refusal; nothing was written and nothing is left."""
    before = bench.rows("visit")
    with pytest.raises(DbopsError) as caught:
        bench.run(manifest, sql)
    assert (bench.rows("visit"), bench.files) == (before, [])
    return caught.value


def moving(where: str = "id <= 2", **more: object) -> Repair:
    return repair(watch("visit", where, update=2, may_change=["dept", "dose"]), **more)  # type: ignore[arg-type]


SETTING = "set_config('extra_float_digits', '-10', true)"


def test_a_predicate_that_has_values_printed_shorter(ward: Bench) -> None:
    """Rows that would come back with fewer digits are not deleted in the first place."""
    watched = watch("visit", f"id <= 2 AND {SETTING} IS NOT NULL", delete=2)
    error = refused(ward, repair(watched), "DELETE FROM visit WHERE id <= 2")
    assert error.code == "session-changed"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_condition_that_has_values_printed_shorter(ward: Bench, when: str) -> None:
    """The image after the script has the digits that are stored."""
    conditions: dict[str, object] = {when: (holds(f"SELECT {SETTING}", "-10"),)}
    manifest = moving("id <= 2", **conditions)
    assert refused(ward, manifest, MOVE).code == "session-changed"


@pytest.mark.parametrize("name", ["pg_catalog", "pg_temp"])
def test_a_search_path_that_names_the_servers_own(ward: Bench, name: str) -> None:
    """No schema comes before the server's functions and operators."""
    manifest = moving(search_path=("public", name))
    assert refused(ward, manifest, MOVE).code == "search-path"


def test_a_temporary_table_that_hides_another(ward: Bench) -> None:
    """A condition reads the table that its reader thinks of."""
    manifest = moving(
        temporary=("visit",), after=(holds("SELECT count(*) FROM visit WHERE dept = 'ORT'", "9"),)
    )
    sql = f"{MOVE}; CREATE TEMP TABLE visit AS SELECT 'ORT' AS dept FROM generate_series(1, 9)"
    assert refused(ward, manifest, sql).code == "temporary-taken"


def test_an_error_that_names_values_as_objects(ward: Bench) -> None:
    """What a trigger says of its error is not repeated, whatever field it says it in."""
    ward.site.run(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING"
        " ERRCODE = '23505', SCHEMA = NEW.dept, TABLE = NEW.dept, COLUMN = NEW.dept,"
        " CONSTRAINT = NEW.dept, MESSAGE = NEW.dept, DETAIL = NEW.dept, HINT = NEW.dept; END $$",
        "CREATE TRIGGER t BEFORE UPDATE ON visit FOR EACH ROW EXECUTE FUNCTION f()",
    )
    error = refused(ward, moving(), "UPDATE visit SET dept = 'canary' WHERE id <= 2")
    assert error.code == "constraint-violated"
    assert "canary" not in f"{error.message} {error.hint}"


def test_a_name_that_leads_elsewhere_between_two_connections(ward: Bench, pg15: PgServer) -> None:
    """The transaction itself is on the database that was approved, whatever answered before it."""
    own, asked = ward.site.engine, list[None]()
    assert isinstance(own, PostgresqlRepairEngine)
    with pg_site(pg15) as other:
        other.run(
            "CREATE TABLE public.visit (id integer PRIMARY KEY, dept text, dose float8)",
            "INSERT INTO public.visit VALUES (1, 'OLD', 0), (2, 'OLD', 0)",
        )
        other.prepare("visit")

        def parameters() -> Parameters:
            asked.append(None)
            return (own if len(asked) == 1 else other.engine).parameters()

        order = ward.order(moving(), MOVE)
        with pytest.raises(DbopsError) as caught:
            ward.run_order(order, replace(own, parameters=parameters))
        assert (caught.value.code, len(asked)) == ("repair-database", 2)
        assert other.rows("SELECT dept FROM public.visit") == [("OLD",), ("OLD",)]
