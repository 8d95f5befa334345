"""What preparing gives the repair role in PostgreSQL, and what the catalogue says of tables."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from dbops.engines.postgresql.repair_prepare import prepare_sql, remove_sql
from dbops.errors import DbopsError, Failed, Refused
from dbops.repair.table import Change, Column, TableName
from tests.engines.postgresql.repair_database import PgSite, pg_site
from tests.engines.repair_site import NOTHING, begun, marker, read, sql

pytestmark = pytest.mark.usefixtures("hospital_tables")


@pytest.fixture(scope="module", params=[15, 17], ids=lambda major: f"pg{major}")
def pg_repair_site(request: pytest.FixtureRequest) -> Iterator[PgSite]:
    """A database of the oldest and one of the newest version, for all tests here."""
    server = request.getfixturevalue(f"pg{request.param}")
    with pg_site(server) as found:
        yield found


def test_the_role_may_do_what_a_repair_does(site: PgSite) -> None:
    """It writes rows of the tables, and marks; it defines, empties and unmarks nothing."""
    with begun(site) as session:
        session.mark(marker("r1"))
        session.commit()
    with site.database.connect(site.engine.repair_role) as connection:
        for refused in (
            "TRUNCATE bill",
            "ALTER TABLE bill ADD COLUMN x text",
            "CREATE TABLE public.x (id integer)",
            "CREATE TABLE dbops.x (id integer)",
            "UPDATE dbops.dbops_run SET bundle = 'x'",
            "DELETE FROM dbops.dbops_run",
            "CREATE ROLE x",
            "COPY bill TO PROGRAM 'true'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused.encode())
        connection.execute("CREATE TEMP TABLE x (id integer)")
        connection.execute("DELETE FROM bill")


def test_what_is_only_looked_up_is_not_written(site: PgSite) -> None:
    """A table named to be read can be read, by scripts and conditions, and no more than that."""
    site.run("CREATE SCHEMA dict", "CREATE TABLE dict.kind (id integer PRIMARY KEY)")
    role, kind = site.engine.repair_role, TableName("dict", "kind")
    site.run(f"REVOKE ALL ON ward FROM {role}")
    site.engine.install(
        site.engine.prepare_sql([site.table("bill")], [kind, TableName("", "ward")])
    )
    with begun(site) as session:
        assert session.check(sql("SELECT count(*) FROM dict.kind"), NOTHING) == b"0"
        assert (
            session.run(sql("DELETE FROM bill WHERE visit IN (SELECT 1 FROM ward)"), NOTHING) == 2
        )
        for text in ("INSERT INTO dict.kind VALUES (1)", "UPDATE ward SET name = ''"):
            with begun(site, text[:6]) as other, pytest.raises(Refused) as caught:
                other.run(sql(text), NOTHING)
            assert caught.value.code == "permission-denied"


def test_preparing_makes_the_role(site: PgSite) -> None:
    """A role that is not there is made, as weak as can be; sequences of the tables can be used."""
    role = site.engine.repair_role
    site.run(
        f"DROP OWNED BY {role}",
        f"DROP ROLE {role}",
        'CREATE TABLE "Odd \'Name" (id serial PRIMARY KEY, n integer GENERATED ALWAYS AS IDENTITY)',
    )
    site.prepare("Odd 'Name")
    assert site.rows(
        "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,"
        f" rolconnlimit FROM pg_roles WHERE rolname = '{role}'"
    ) == [(True, False, False, False, False, False, 5)]
    with begun(site) as session:
        session.run(sql('INSERT INTO "Odd \'Name" DEFAULT VALUES'), NOTHING)


def test_removing_stops_where_the_role_owns_something(site: PgSite) -> None:
    """Tables are not dropped with their owner: nothing is removed, and nothing half."""
    role = site.engine.repair_role
    site.run(f"ALTER TABLE bill OWNER TO {role}")
    with pytest.raises(Failed) as caught:
        site.engine.install(site.engine.remove_sql())
    assert caught.value.code == "refused-by-database"
    with begun(site) as session:
        assert len(read(session, session.shape(site.table("bill")))) == 3


def test_removing_leaves_rights_in_other_databases(site: PgSite) -> None:
    """A role that repairs another database as well stays there."""
    role, other = site.engine.repair_role, f"{site.database.name}_2"
    site.database.server.create_database(other)
    try:
        with site.database.server.connect(other) as connection:
            connection.execute(f"CREATE TABLE x (); GRANT SELECT ON x TO {role}".encode())
        site.engine.install(site.engine.remove_sql())
        assert site.rows(f"SELECT count(*) FROM pg_roles WHERE rolname = '{role}'") == [(1,)]
        assert site.rows("SELECT to_regnamespace('dbops') IS NULL") == [(True,)]
    finally:
        site.database.server.drop_database(other)


def test_a_text_that_fails_installs_nothing(site: PgSite) -> None:
    """All of the text, or nothing of it."""
    text = prepare_sql(site.engine.repair_role, [TableName("public", "nobody")])
    site.engine.install(remove_sql(site.engine.repair_role))
    with pytest.raises(DbopsError):
        site.engine.install(text)
    assert site.rows("SELECT to_regnamespace('dbops') IS NULL") == [(True,)]


def test_the_text_is_the_same_for_the_same_tables() -> None:
    """Order and repetition of the tables do not change what is approved; names are quoted."""
    first = prepare_sql("r", [TableName("his", 'a"b'), TableName("", "v")])
    again = prepare_sql("r", [TableName("public", "v"), TableName("his", 'a"b')] * 2)
    assert first == again
    assert 'GRANT SELECT, INSERT, UPDATE, DELETE ON "his"."a""b" TO "r";\n' in first
    assert 'GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."v" TO "r";\n' in first


def test_identity_is_that_of_backups(site: PgSite) -> None:
    """The repair role reads the same identity as a snapshot has."""
    system, _, oid = site.engine.identity().partition("/")
    ((wanted,),) = site.rows("SELECT system_identifier::text FROM pg_control_system()")
    ((number,),) = site.rows("SELECT oid FROM pg_database WHERE datname = current_database()")
    assert (system, int(oid)) == (wanted, number)


def test_shapes_leave_generated_columns_out(site: PgSite) -> None:
    """Types are in full, identity columns are marked and written, generated ones only named."""
    site.run(
        "CREATE TABLE t (gone text, n integer GENERATED ALWAYS AS IDENTITY, v numeric(10,2),"
        ' twice numeric GENERATED ALWAYS AS (v * 2) STORED, "C d" varchar(3)[], PRIMARY KEY (n))',
        "ALTER TABLE t DROP COLUMN gone",
    )
    site.prepare("t")
    with begun(site) as session:
        shape = session.shape(site.table("t"))
        assert session.column(site.table("t"), "twice") == "twice"
        session.run(sql("INSERT INTO t (v) VALUES (1.5), (NULL)"), NOTHING)
        before = read(session, shape)
        session.run(sql("DELETE FROM t"), NOTHING)
        session.apply(shape, [Change(one.order, None, one.row) for one in before])
        assert read(session, shape) == before
        assert session.check(sql("SELECT twice FROM t WHERE n = 1"), NOTHING) == b"3.00"
    assert shape.columns == (
        Column("n", "integer", assigned=True),
        Column("v", "numeric(10,2)"),
        Column("C d", "character varying(3)[]"),
    )
    assert (shape.generated, shape.key_names) == (("twice",), ("n",))


def test_shapes_do_not_follow_the_search_path(site: PgSite) -> None:
    """Types are in full and the digest is the same whatever ran before."""
    site.run(
        "CREATE TYPE mood AS ENUM ('x')",
        "CREATE TABLE t (id mood PRIMARY KEY REFERENCES t, m mood[])",
        "INSERT INTO t VALUES ('x')",
    )
    site.prepare("t")
    with begun(site, search_path=("public",)) as session:
        first = session.shape(site.table("t"))
        read(session, first)
        session.run(sql("SELECT 1"), NOTHING)
        assert session.shape(site.table("t")) == first
        read(session, first)
        assert session.children(first.incoming[0], [(b"x",)]) == 1
    assert [column.type for column in first.columns] == ["public.mood", "public.mood[]"]


def test_the_smallest_unique_key_is_the_key(site: PgSite) -> None:
    """Partial, deferrable, nullable and expression indexes are no keys."""
    site.run(
        "CREATE TABLE t (a integer NOT NULL, b integer NOT NULL, c integer, d integer NOT NULL"
        " UNIQUE DEFERRABLE, UNIQUE (c), UNIQUE (b, a) INCLUDE (c))",
        "CREATE UNIQUE INDEX ON t (a) WHERE a > 0",
        "CREATE UNIQUE INDEX ON t (abs(a))",
    )
    site.prepare("t")
    with begun(site) as session:
        assert session.shape(site.table("t")).key_names == ("b", "a")


def test_references_of_partitioned_tables_are_told_once(site: PgSite) -> None:
    """The server keeps one for each partition; a repair sees those that people declared."""
    site.run(
        "CREATE TABLE p (id integer PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE c (id integer PRIMARY KEY, p integer REFERENCES p) PARTITION BY RANGE (id)",
        "CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (10)",
        "INSERT INTO p VALUES (1)",
        "INSERT INTO c VALUES (1, 1), (2, 1), (3, NULL)",
    )
    site.prepare("p", "c", "p1", "c1")
    with begun(site) as session:
        parent, child = session.shape(site.table("p")), session.shape(site.table("c"))
        assert parent.partitioned
        assert [one.child for one in parent.incoming] == [site.table("c")]
        assert [one.target for one in child.outgoing] == [site.table("p")]
        assert session.children(parent.incoming[0], [(b"1",), (None,)]) == 2
        assert [one.target for one in session.shape(site.table("c1")).outgoing] == [site.table("p")]
        assert [one.child for one in session.shape(site.table("p1")).incoming] == [site.table("c")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "CREATE TABLE odd (id integer PRIMARY KEY); CREATE TABLE heir () INHERITS (odd)",
            "inherit",
        ),
        ("CREATE MATERIALIZED VIEW odd AS SELECT 1 AS id", "a materialized view"),
    ],
)
def test_odd_tables_are_refused(site: PgSite, text: str, said: str) -> None:
    """Rows that no key identifies, and relations that hold no rows of their own."""
    site.run(text)
    with begun(site) as session, pytest.raises(Refused) as caught:
        session.shape(site.table("odd"))
    assert caught.value.code == "table-kind"
    assert said in caught.value.message


def test_a_table_without_key_is_not_read(site: PgSite) -> None:
    """Its rows cannot be told apart."""
    site.run("CREATE TABLE t (a integer)")
    site.prepare("t")
    with begun(site) as session, pytest.raises(Refused) as caught:
        read(session, session.shape(site.table("t")))
    assert caught.value.code == "no-key"
