"""What no comparison of schemas sees, no step of a change may alter either."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbops.errors import Refused
from tests.engines.change_suite_site import add_phone, begun, entry, hospital, order, step
from tests.engines.postgresql.change_database import PgChangeSite, change_site
from tests.fix_postgresql import PgServer

ROLE = "beside_role"
ROLES = "roles, or who is a member of them"
OWN = "dbops' own tables"
SETTINGS = "settings of roles or of other databases"
EXTENSION = "extension plpgsql of version 1.0"
FUNCTIONS = "functions that came with the server"
SEARCH = "text search that came with the server"
LOST = {EXTENSION, FUNCTIONS, SEARCH}
BLOCK = "DO $$ BEGIN BEGIN {}; EXCEPTION WHEN division_by_zero THEN END; END $$"


@pytest.fixture(scope="module")
def site(pg15: PgServer) -> Iterator[PgChangeSite]:
    """A database with both of dbops' own tables; no test here commits anything to it."""
    with change_site(pg15) as found:
        found.reset()
        hospital(found)
        found.run(f"CREATE ROLE {ROLE}")
        try:
            with found.engine.session(order()):
                pass
            found.run("CREATE TABLE dbops.dbops_run (run text)", f"ALTER ROLE {ROLE} SET jit = off")
            found.run(
                "CREATE TEXT SEARCH CONFIGURATION his.words (COPY = pg_catalog.simple)",
                "ALTER EXTENSION plpgsql ADD TEXT SEARCH CONFIGURATION his.words",
            )
            yield found
        finally:
            found.run(f"DROP ROLE {ROLE}")


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        (f"ALTER ROLE {ROLE} SUPERUSER", ROLES),
        (f"ALTER ROLE {ROLE} RENAME TO {ROLE}_more", ROLES),
        (f"CREATE ROLE {ROLE}_new", ROLES),
        (f"GRANT pg_execute_server_program TO {ROLE}", ROLES),
        (f"GRANT SET ON PARAMETER session_replication_role TO {ROLE}", ROLES),
        (BLOCK.format(f"ALTER ROLE {ROLE} SUPERUSER"), ROLES),
        ("INSERT INTO dbops.dbops_change (run, work, plan, direction, step, name, sha256, progress,"
         " approval, at, login) VALUES ('', '', '', 'up', 0, '', '', 'done', '', now(), '')", OWN),
        ("DELETE FROM dbops.dbops_change", OWN),
        (BLOCK.format("ALTER TABLE dbops.dbops_run ADD COLUMN more text"), OWN),
    ],
)  # fmt: skip
def test_a_step_that_reaches_out_is_refused(site: PgChangeSite, sql: str, what: str) -> None:
    """Roles and dbops' own tables are left alone: the step that alters them is named."""
    with begun(site) as session, pytest.raises(Refused) as caught:
        session.run(step(sql, 2, line=4))
    assert (caught.value.code, caught.value.message) == (
        "change-statement",
        f"step 2 at line 4: it changes what no comparison of schemas sees: {what}",
    )
    assert caught.value.hint == (
        "take it out of the script; where somebody else did that just now, run it again"
    )


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("ALTER DATABASE postgres OWNER TO {0}", "database postgres"),
        ("GRANT CREATE ON DATABASE postgres TO {0}", "database postgres"),
        ("GRANT CREATE ON TABLESPACE pg_default TO {0}", "tablespace pg_default"),
        ("ALTER ROLE {0} SET search_path = evil", SETTINGS),
        ("ALTER ROLE {0} RESET ALL", SETTINGS),
        ("ALTER DATABASE postgres SET search_path = evil", SETTINGS),
        ("GRANT INSERT ON dbops.dbops_change TO {0}", f"rights on {OWN}"),
        ("GRANT USAGE ON SCHEMA dbops TO {0}", f"rights on {OWN}"),
        ("DROP TABLE dbops.dbops_run", f"rights on {OWN}"),
        ("ALTER EXTENSION plpgsql ADD TABLE his.ward", EXTENSION),
        ("ALTER FUNCTION pg_catalog.plpgsql_validator(oid) SECURITY DEFINER", EXTENSION),
        ("CREATE OR REPLACE FUNCTION pg_catalog.upper(text) RETURNS text LANGUAGE internal"
         " IMMUTABLE STRICT AS 'lower'", FUNCTIONS),
        ("ALTER TEXT SEARCH CONFIGURATION his.words DROP MAPPING FOR word", EXTENSION),
        ("ALTER TEXT SEARCH CONFIGURATION pg_catalog.english ALTER MAPPING FOR word WITH simple",
         SEARCH),
        ("ALTER TEXT SEARCH DICTIONARY pg_catalog.english_stem (stopwords)", SEARCH),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["{}", BLOCK])
def test_what_was_altered_beside_is_not_committed(
    site: PgChangeSite, form: str, sql: str, what: str
) -> None:
    """Of the rest of the server too: at the latest COMMIT is not sent."""
    with begun(site) as session:
        session.run(step(form.format(sql.format(ROLE))))
        session.note([entry(1)])
        with pytest.raises(Refused) as caught:
            session.commit()
    why = "what no restore brings back" if what in LOST else "what no comparison of schemas sees"
    assert (caught.value.code, caught.value.message) == (
        "change-statement",
        f"committing c-1: it changes {why}: {what}",
    )


def test_a_deferred_trigger_reaches_no_further(site: PgChangeSite) -> None:
    """What it does when constraints are checked is looked at as well."""
    body = "BEGIN DELETE FROM dbops.dbops_change; RETURN NULL; END"
    with begun(site) as session:
        session.run(
            step(f"CREATE FUNCTION his.f() RETURNS trigger LANGUAGE plpgsql AS '{body}'", 1)
        )
        session.run(
            step(
                "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON his.ward DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION his.f()",
                2,
            )
        )
        session.run(step("INSERT INTO his.ward VALUES ('NEW', 'new')", 3))
        with pytest.raises(Refused) as caught:
            session.settle()
    assert caught.value.message == (
        "checking deferred constraints: it changes what no comparison of schemas sees:"
        " dbops' own tables"
    )


def test_what_others_do_meanwhile_is_theirs(site: PgChangeSite) -> None:
    """Roles and settings that somebody else alters during the run refuse nothing."""
    with begun(site) as session:
        session.run(add_phone(site))
        site.run(
            f"ALTER ROLE {ROLE} CREATEDB",
            f"ALTER ROLE {ROLE} SET work_mem = '5MB'",
            f"GRANT CREATE ON DATABASE postgres TO {ROLE}",
            f"REVOKE CREATE ON DATABASE postgres FROM {ROLE}",
        )
        session.run(step(f"GRANT SELECT ON his.ward TO {ROLE}", 2))
        session.run(step("GRANT EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) TO PUBLIC", 3))
        name = site.database.name
        session.run(step(f"ALTER DATABASE {name} SET jit = off", 4))
        assert session.settle() == ()
        session.note([entry(1)])
        session.rollback()
