"""The schema as a value: whatever somebody changes shows by name, and the way back is exact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from psycopg.pq import TransactionStatus

from dbops.change.diff import compare_schemas
from dbops.change.schema import ObjectKind, ObjectName, Schema, refuse_unknown
from dbops.change.schema_text import parse_schema, schema_text
from dbops.change.touch import parse_touch, touches_of
from dbops.change.words import difference_words
from dbops.engines.postgresql.change_schema import read_schema
from dbops.engines.postgresql.change_schema_assembly import Assembly
from dbops.engines.postgresql.change_schema_listing import Row
from dbops.engines.postgresql.change_schema_marks import Marks
from dbops.engines.postgresql.connect import Session, connect
from dbops.errors import Failed, Refused
from tests.engines.postgresql.change_schema_cases import BASE as BASE_OF_TABLES
from tests.engines.postgresql.change_schema_cases import (
    COLUMNS,
    CONSTRAINTS,
    INDEXES,
    TABLES,
    Case,
)
from tests.engines.postgresql.change_schema_cases_kinds import BASE as BASE_OF_KINDS
from tests.engines.postgresql.change_schema_cases_kinds import KINDS
from tests.engines.postgresql.change_schema_cases_programs import DATABASE, PROGRAMS, RIGHTS, TYPES
from tests.engines.postgresql.change_schema_cases_properties import PROPERTIES
from tests.engines.postgresql.change_schema_made import RARE, UNKNOWN
from tests.engines.postgresql.repair_database import parameters_of
from tests.fix_postgresql import PgServer

CASES = (
    *(*TABLES, *COLUMNS, *CONSTRAINTS, *INDEXES, *PROGRAMS, *TYPES, *RIGHTS, *DATABASE, *KINDS),
    *PROPERTIES,
)
BASE = BASE_OF_TABLES + BASE_OF_KINDS
NAME = "change_schema"


@dataclass(frozen=True, slots=True)
class Hospital:
    """A session whose open transaction has made the schema, and that schema as it was read."""

    session: Session
    base: Schema

    @contextmanager
    def changed(self, sql: str) -> Iterator[Schema]:
        """The schema after these statements; nothing of them stays."""
        self.session.run("SAVEPOINT start")
        try:
            self.session.run(sql)
            yield read_schema(self.session)
        finally:
            self.session.run("ROLLBACK TO SAVEPOINT start")

    def text_after(self, sql: str) -> str:
        """The text of the schema after these statements."""
        with self.changed(sql) as schema:
            return schema_text(schema).decode()


@pytest.fixture(scope="module")
def hospital(pg_server: PgServer) -> Iterator[Hospital]:
    """One database on each server, and one transaction in it, which is never committed."""
    pg_server.drop_database(NAME)
    pg_server.create_database(NAME)
    with connect(parameters_of(pg_server, NAME, pg_server.superuser)) as session:
        session.run("BEGIN")
        session.run("SET LOCAL search_path = public")
        session.run(BASE)
        yield Hospital(session, read_schema(session))
    pg_server.drop_database(NAME)


def touches(before: Schema, after: Schema) -> tuple[str, ...]:
    """The lines that a manifest would have."""
    return tuple(sorted(each.line for each in touches_of(compare_schemas(before, after))))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_change_shows(hospital: Hospital, case: Case) -> None:
    """What a case changes is what the difference names, no more; the way back is exact."""
    with hospital.changed(case.sql) as schema:
        found = touches(hospital.base, schema)
        assert found == tuple(sorted(case.touches))
        assert all(parse_touch(line) is not None for line in found)
        hospital.session.run(case.back)
        again = read_schema(hospital.session)
        assert touches(hospital.base, again) == ()
        assert again.digest == hospital.base.digest


def test_every_kind_is_there(hospital: Hospital) -> None:
    """The schema of these tests has every kind that PostgreSQL has."""
    kinds = {name.kind for name in hospital.base.objects}
    assert kinds == set(ObjectKind) - {ObjectKind.VIRTUAL_TABLE}
    assert hospital.base.unknown == ()


def test_two_builds_are_equal(pg_server: PgServer, hospital: Hospital) -> None:
    """The same statements in another database, in another session, give the same bytes."""
    name = f"{NAME}_again"
    pg_server.create_database(name)
    try:
        hospital.session.run("ROLLBACK")  # roles belong to the whole server
        with connect(parameters_of(pg_server, name, pg_server.superuser)) as session:
            session.run("BEGIN; SET LOCAL search_path = public")
            session.run(BASE)
            again = read_schema(session)
    finally:
        hospital.session.run("BEGIN; SET LOCAL search_path = public")
        hospital.session.run(BASE)
        pg_server.drop_database(name)
    assert schema_text(again) == schema_text(hospital.base)


def test_text_is_read_back(hospital: Hospital) -> None:
    """What is written of the schema is parsed to the same value."""
    data = schema_text(hospital.base)
    assert parse_schema(data, "here") == hospital.base


@pytest.mark.parametrize(("sql", "names"), UNKNOWN, ids=lambda text: text[:30])
def test_unknown_kinds_are_named(hospital: Hospital, sql: str, names: tuple[str, ...]) -> None:
    """What nobody understands is named, as the server names it, and refuses every change."""
    with hospital.changed(sql) as schema:
        # Servers before 16 put an `on` into the name of a transform.
        named = tuple(name.replace(" on language ", " language ") for name in schema.unknown)
        assert named == names
        with pytest.raises(Refused) as refusal:
            refuse_unknown(schema, "his")
    assert refusal.value.message == (
        f"his has objects of kinds that dbops does not compare: {', '.join(schema.unknown)}"
    )


def test_rows_of_the_server_do_not_appear(hospital: Hospital) -> None:
    """Large objects, temporary tables, TOAST, array and row types and internal triggers are not
    the schema's.
    """
    sql = (
        "SELECT lo_create(0); CREATE TEMPORARY TABLE above (a text PRIMARY KEY);"
        "CREATE TEMPORARY TABLE below (id serial, a text REFERENCES above CHECK (a > ''));"
        "CREATE RULE r AS ON DELETE TO below DO INSTEAD NOTHING;"
        "CREATE TEMPORARY VIEW seen AS SELECT 1; CREATE TYPE pg_temp.kind AS ENUM ('a');"
        "CREATE FUNCTION pg_temp.f() RETURNS integer LANGUAGE sql AS 'SELECT 1';"
        "CREATE STATISTICS pg_temp.s ON id, a FROM below; CREATE POLICY p ON below;"
        "CREATE CAST (pg_temp.kind AS integer) WITH INOUT;"
        "CREATE OPERATOR pg_temp.=@= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);"
        "CREATE OPERATOR FAMILY pg_temp.loose USING btree;"
        "CREATE COLLATION pg_temp.plain (provider = libc, locale = 'C');"
        "CREATE TEXT SEARCH DICTIONARY pg_temp.words (TEMPLATE = simple);"
        "COMMENT ON TEXT SEARCH DICTIONARY pg_temp.words IS 'x';"
        "COMMENT ON CAST (pg_temp.kind AS integer) IS 'x';"
        "GRANT SELECT (id) ON below TO cs_reader; GRANT SELECT ON above TO PUBLIC;"
        "COMMENT ON COLUMN below.a IS 'x'; COMMENT ON POLICY p ON below IS 'x';"
        "COMMENT ON RULE r ON below IS 'x'; COMMENT ON TYPE pg_temp.kind IS 'x'"
    )
    with hospital.changed(sql) as schema:
        assert touches(hospital.base, schema) == ()
        assert schema == hospital.base


def test_own_tables_are_left_out(hospital: Hospital) -> None:
    """dbops' schema is not there while only its own tables are in it, which never are."""
    own = (
        "CREATE SCHEMA dbops; CREATE TABLE dbops.dbops_run (run text PRIMARY KEY, n serial);"
        "CREATE TABLE dbops.dbops_change (run text CHECK (run > ''));"
        "GRANT SELECT ON dbops.dbops_run TO cs_reader; COMMENT ON TABLE dbops.dbops_run IS 'x'"
    )
    with hospital.changed(own) as schema:
        assert schema == hospital.base
    with hospital.changed(f"{own}; CREATE TABLE dbops.other (id integer)") as schema:
        assert touches(hospital.base, schema) == ("create schema dbops", "create table dbops.other")


def test_members_of_extensions_are_left_out(hospital: Hospital) -> None:
    """An extension alone differs for all that it has, its tables' indexes included."""
    sql = (
        "CREATE TABLE his.code (id serial PRIMARY KEY, a text CHECK (a > ''));"
        "CREATE OPERATOR his.=@~ (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);"
        "ALTER EXTENSION citext ADD TABLE his.code;"
        "ALTER EXTENSION citext ADD SEQUENCE his.code_id_seq;"
        "ALTER EXTENSION citext ADD OPERATOR his.=@~ (text, text);"
        "CREATE INDEX code_a ON his.code (a); COMMENT ON TABLE his.code IS 'x'"
    )
    with hospital.changed(sql.replace("his.code", "his.codes")) as schema:
        assert touches(hospital.base, schema) == (
            "alter extension citext (members, tables of members)",
        )


def test_collations_of_libraries(hospital: Hospital) -> None:
    """What ICU, or the server itself, is told stands there; which version it has does not."""
    sql, expected = {
        15: (
            "CREATE COLLATION his.pinyin (provider = icu, locale = 'zh-u-co-pinyin',"
            " deterministic = false)",
            {"provider": "icu", "deterministic": "no", "locale": "zh-u-co-pinyin"},
        ),
        17: (
            "CREATE COLLATION his.pinyin (provider = builtin, locale = 'C.UTF-8')",
            {"provider": "builtin", "locale": "C.UTF-8"},
        ),
    }[hospital.session.major]
    version = "UPDATE pg_collation SET collversion = '0' WHERE collname = 'pinyin'"
    name = ObjectName(ObjectKind.COLLATION, ("his", "pinyin"))
    with hospital.changed(sql) as schema:
        assert schema.objects[name].properties == {"owner": "postgres", **expected}
        hospital.session.run(version)
        assert read_schema(hospital.session) == schema


def test_collations_of_two_encodings(hospital: Hospital) -> None:
    """One that the database cannot use may have the name of one that it can; it is told apart."""
    sql = (
        "CREATE COLLATION his.zh_cn (provider = libc, locale = 'C');"
        "UPDATE pg_collation SET collencoding = 2 WHERE collname = 'zh_cn';"
        "CREATE COLLATION his.zh_cn (provider = libc, locale = 'POSIX')"
    )
    with hospital.changed(sql) as schema:
        assert touches(hospital.base, schema) == (
            "create collation his.zh_cn",
            "create collation his.zh_cn(EUC_CN)",
        )


def test_texts_of_operators_and_text_search(hospital: Hospital) -> None:
    """What a class, a family and a configuration hold is listed, a line each, in one order."""
    text = hospital.text_after(
        "ALTER OPERATOR FAMILY his.loose USING btree ADD OPERATOR 1 < (date, timestamp),"
        " FUNCTION 1 date_cmp_timestamp(date, timestamp);"
        "ALTER TEXT SEARCH CONFIGURATION his.zh ADD MAPPING FOR asciiword WITH his.words, simple"
    )
    assert (
        '{"object":["operator class","his","own(hash)"],"of":null,"properties":{"family":"his.own",'
        '"members":"OPERATOR 1 his.=#=(his.level,his.level)\\nFUNCTION 1 (his.level, his.level)'
        ' hashenum(anyenum)","owner":"postgres","type":"his.level"}}'
    ) in text
    assert (
        '"members":"OPERATOR 1 <(date,timestamp without time zone)\\nFUNCTION 1 (date, timestamp'
        ' without time zone) date_cmp_timestamp(date,timestamp without time zone)"'
    ) in text
    assert '"mappings":"asciiword: his.words, simple\\nword: his.words"' in text


def test_grants_say_only_what_was_granted(hospital: Hospital) -> None:
    """What an owner and everybody may do from the beginning is not new where somebody is granted
    something, nor gone where that is taken away; a text that was kept is read so too.
    """
    sql = (
        "GRANT SELECT ON his.ward TO cs_reader; GRANT USAGE ON SEQUENCE his.ticket TO cs_reader;"
        "REVOKE EXECUTE ON FUNCTION his.age(date) FROM PUBLIC; REVOKE ALL ON TYPE his.sex FROM"
        " PUBLIC, CURRENT_USER; GRANT CREATE ON SCHEMA public TO cs_reader;"
        "GRANT SELECT (note) ON his.visit TO cs_reader; ALTER TABLE his.visit OWNER TO cs_owner;"
        "GRANT DELETE ON his.visit TO cs_reader"
    )
    expected = {
        "column `note` of `his.visit`: grants: none → cs_reader: SELECT",
        "function `his.age(date)`: grants - PUBLIC: EXECUTE",
        "schema `public`: grants + cs_reader: CREATE",
        "sequence `his.ticket`: grants + cs_reader: USAGE",
        "table `his.ward`: grants + cs_reader: SELECT",
        "type `his.sex`: grants + nobody; - PUBLIC: USAGE; - postgres: USAGE",
    }
    kept = parse_schema(schema_text(hospital.base), "here")
    with hospital.changed(sql) as schema:
        for before in (hospital.base, kept):
            said = {
                line
                for difference in compare_schemas(before, schema)
                for line in difference_words(difference)
                if ": grants" in line
            }
            assert said >= expected
            (rest,) = (line for line in said - expected if line.startswith("table `his.visit`"))
            told = rest.removeprefix("table `his.visit`: grants").replace("MAINTAIN, ", "")
            every = "DELETE, INSERT, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE"
            assert told == (
                f" + cs_owner: {every}; + cs_reader: DELETE; - postgres: {every}"
                if before is hospital.base
                else f": those of a new one → cs_owner: {every}; cs_reader: DELETE"
            )
        back = compare_schemas(schema, kept)
    assert "table `his.ward`: grants - cs_reader: SELECT" in {
        line for difference in back for line in difference_words(difference)
    }


def test_secrets_never_appear(hospital: Hospital) -> None:
    """No option of a user mapping is in the text, and no option or setting that is a password."""
    text = hospital.text_after(
        "ALTER SERVER archive OPTIONS (db_password 'geheim-4');"
        "ALTER FOREIGN TABLE his.old OPTIONS (url 'jdbc:x;pwd=geheim-5');"
        "CREATE SUBSCRIPTION mirror CONNECTION 'password=geheim-6' PUBLICATION p"
        " WITH (connect = false); DO $$ BEGIN EXECUTE format("
        "'ALTER DATABASE %I SET app.secret = ''geheim-7''', current_database()); END $$"
    )
    assert "geheim" not in text
    assert '"options":"db_password (hidden), host=10.0.0.1"' in text
    assert '"settings":"app.secret (hidden)"' in text
    assert '"object":["user mapping","archive","cs_reader"]' in text


def test_settings_do_not_matter_and_stay(hospital: Hospital) -> None:
    """The session's search path, time zone and quoting change no text, and are the same after."""
    with hospital.changed(
        "SET LOCAL search_path = his, public; SET LOCAL timezone = 'Asia/Shanghai';"
        "SET LOCAL datestyle = 'German'; SET LOCAL quote_all_identifiers = on;"
        "SET LOCAL standard_conforming_strings = off"
    ) as schema:
        assert schema == hospital.base
        assert hospital.session.rows(
            "SELECT current_setting('search_path'), current_setting('timezone'),"
            " current_setting('datestyle'), current_setting('quote_all_identifiers')"
        ) == [("his, public", "Asia/Shanghai", "German, DMY", "on")]


def test_anybody_reads_the_same(hospital: Hospital) -> None:
    """A role without any right in the database reads every object that a superuser reads."""
    with hospital.changed('SET LOCAL ROLE "cs 张三"') as schema:
        assert schema == hospital.base


def test_texts_of_properties(hospital: Hospital) -> None:
    """Properties are what the server prints, qualified, and grants are sorted words."""
    text = hospital.text_after(
        "GRANT INSERT, SELECT ON his.ward TO PUBLIC;"
        "GRANT SELECT, DELETE ON his.ward TO \"cs 张三\" WITH GRANT OPTION"
    )  # fmt: skip
    owner = "postgres: DELETE, INSERT, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE"
    if hospital.session.major >= 17:
        owner = owner.replace("INSERT, ", "INSERT, MAINTAIN, ")
    granted = "DELETE with grant option, SELECT with grant option"
    assert (
        '{"object":["table","his","ward"],"of":null,"properties":{"grants":'
        f'"\\"cs 张三\\": {granted}; PUBLIC: INSERT, SELECT; {owner}","owner":"postgres"}}}}'
    ) in text
    assert (
        '{"object":["constraint","his","visit","visit_ward_code_fkey"],"of":["table","his","visit"]'
        ',"properties":{"definition":"FOREIGN KEY (ward_code) REFERENCES his.ward(code)"}}'
    ) in text
    assert (
        '{"object":["column","his","visit","born"],"of":["table","his","visit"],"properties":'
        '{"default":"\'2020-01-31\'::date","position":"4","type":"date"}}'
    ) in text


@pytest.mark.parametrize(("sql", "title", "expected"), RARE, ids=lambda each: str(each)[:30])
def test_properties_that_are_set_when_made(
    hospital: Hospital, sql: str, title: str, expected: dict[str, str]
) -> None:
    """What cannot be altered later is a property all the same, of this text."""
    with hospital.changed(sql) as schema:
        (found,) = (each for name, each in schema.objects.items() if name.title == title)
    texts = dict(found.properties)
    if found.name.kind is ObjectKind.EXTENSION:
        assert re.fullmatch("46 objects, sha256 [0-9a-f]{64}", texts.pop("members"))
    assert texts == {"owner": "postgres", **expected}


def test_positions_have_no_gaps(hospital: Hospital) -> None:
    """A column's place counts the columns that are there, not those that were."""
    sql = "ALTER TABLE his.visit DROP no; ALTER TABLE his.visit ADD no integer"
    with hospital.changed(sql) as schema:
        places = [
            int(each.properties["position"])
            for name, each in schema.objects.items()
            if name.kind is ObjectKind.COLUMN and name.path[:2] == ("his", "visit")
        ]
    assert sorted(places) == list(range(1, 8))


def test_uncommitted_changes_are_seen_by_their_session_only(
    pg_server: PgServer, hospital: Hospital
) -> None:
    """All of these tests read what was never committed; another session sees none of it."""
    with connect(parameters_of(pg_server, NAME, pg_server.superuser)) as other:
        assert (
            read_schema(other)
            .objects.keys()
            .isdisjoint(name for name in hospital.base.objects if name.path[0] == "his")
        )
        status = other.connection.info.transaction_status
    assert status is TransactionStatus.IDLE


def test_belonging_to_nothing_is_a_fault() -> None:
    """A row that belongs to something that was not listed came or went meanwhile: no schema."""
    row = Row(("pg_trigger", 9, 0), ("pg_class", 8, 0), ObjectKind.TRIGGER, None, "note", {})
    with pytest.raises(Failed) as failure:
        list(Assembly([row], Marks({}, frozenset())).objects())
    assert failure.value.code == "schema-changed"
    assert failure.value.message == (
        "trigger note: what it belongs to came or went while the schema was read"
    )
