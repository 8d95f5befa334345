"""Scripts are cut where servers and other readers cut them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import apsw
import apsw.ext
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot.dialects import Postgres, SQLite
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from dbops.errors import Refused
from dbops.sql.script import parse_script, render
from dbops.sql.statement import Statement
from dbops.sql.tokens import tokens_of
from tests.fix_postgresql import Connection, PgServer

SOURCE = "repairs/w-1/repair.sql"

NASTY = [
    ("SELECT 'a;b', 'it''s;', \"c;d\" FROM q; DELETE FROM q", 2),
    ("DELETE FROM q WHERE \"c;d\" = ':a' -- ; it's\n; SELECT 1 /* ; ' */ ; -- end;", 2),
    ("/* ; */ SELECT /**/ 1; ;; SELECT ':b' -- '", 2),
    ("WITH x AS (SELECT :a AS n) SELECT ';' FROM x; UPDATE q SET n = :a WHERE n = :b;", 2),
    ("INSERT INTO q (n) VALUES (:a); INSERT INTO q (n) VALUES (:r.n)", 2),
    ("SELECT 'c:\\temp\\;', '\\\\' ; SELECT 5 --3;\n", 2),
]
NASTY_POSTGRESQL = [
    ("SELECT $$ ; ' $$, $a$ $$ ; $b$ $a$; SELECT 1", 2),
    ("DO $do$ BEGIN DELETE FROM q; PERFORM ';'; END $do$; SELECT 1", 2),
    ("SELECT E'a\\n;\\\\', U&'\\0041;', B'1', 'x'\n';'; SELECT 1", 2),
    ("SELECT ARRAY['a;', :a], ARRAY[[';'],['b']], l[1], l[1:2] FROM q; SELECT 1", 2),
    ("SELECT ARRAY[]::text[], ARRAY[ARRAY[]::int[]], l::bigint[][] FROM q; SELECT 1", 2),
    ("SELECT :a::text, make_interval(days := 1); SELECT 1", 2),
    ("SELECT n AS a$b$c FROM q; SELECT 1 AS x$;", 2),
    ("SELECT j #>> '{a;b}', j ? ';', @ -1 FROM q; SELECT 1", 2),
    ("UPDATE q SET n = :a FROM (VALUES (1)) v(k) WHERE q.\"c;d\" = ''; SELECT 1", 2),
]
NASTY_SQLITE = [
    ("SELECT [n], [n] AS [odd name], `n` FROM q; DELETE FROM q WHERE `n` = ';'", 2),
    ("SELECT [q].[n] FROM [q]; SELECT 1", 2),
    ("SELECT n AS [] FROM q; SELECT 1 AS [], 2", 2),
]


def numbered(statement: Statement, sign: str) -> str:
    """The statement with each place as a number of its own."""
    numbers = iter(range(1, 100))
    return render(statement, lambda _: f"{sign}{next(numbers)}", lambda place: f'"{place.name}"')


@pytest.fixture(scope="module")
def prepared(pg15: PgServer) -> Iterator[Connection]:
    """A connection with a table for the statements."""
    with pg15.connect("postgres") as connection:
        connection.execute('CREATE TEMP TABLE q (n int, "c;d" text, l int[], j jsonb)')
        yield connection


@pytest.mark.parametrize(("text", "count"), [*NASTY, *NASTY_POSTGRESQL])
def test_postgresql_takes_each_statement_as_one(
    prepared: Connection, text: str, count: int
) -> None:
    """The server prepares no two statements at once, and half of one is a syntax error."""
    whole = parse_script(text.encode() + b"\n", SOURCE)
    assert len(whole) == count
    for each in whole:
        result = prepared.pgconn.prepare(b"", numbered(each, "$").encode())
        assert result.status == psycopg.pq.ExecStatus.COMMAND_OK, result.error_message
    together = "; ".join(numbered(each, "$") for each in whole).encode()
    assert prepared.pgconn.prepare(b"", together).status == psycopg.pq.ExecStatus.FATAL_ERROR


VALUES = ["1", "';'", "'it''s'", "$$ ; ' $$", "$a$;$a$", r"E'\\;'", "ARRAY[';']", "1 /* ; */"]
VALUES += ["(SELECT ';' -- ;\n)", 'n AS "a;"', "l[1]", "l[1:2]", ":a::int", "';'::text", "j ? ';'"]
QUERIES = st.lists(st.sampled_from(VALUES), min_size=1, max_size=6).map(
    lambda values: f"SELECT {', '.join(values)} FROM q"
)


@given(st.lists(QUERIES, min_size=1, max_size=4))
def test_postgresql_agrees_on_any_mixture(prepared: Connection, queries: list[str]) -> None:
    """As many statements as were written, each of which the server takes alone."""
    whole = parse_script((";\n".join(queries) + ";\n").encode(), SOURCE)
    assert len(whole) == len(queries)
    for each in whole:
        result = prepared.pgconn.prepare(b"", numbered(each, "$").encode())
        assert result.status == psycopg.pq.ExecStatus.COMMAND_OK, result.error_message


SOUP = ["a", "E", "'", "''", '"', ";", "-", "--", "/*", "*/", "\\", "[", "]", "\n", " ", "(", ")"]
SOUP += ["ARRAY", "1", ":a", ",", "`", "U&"]


@given(st.lists(st.sampled_from(SOUP), max_size=12).map("".join))
def test_readers_of_two_databases_find_the_same_ends(text: str) -> None:
    """Whatever is not refused has its semicolons where the readers of others have them."""
    try:
        ends = sum(each.piece is None for each in tokens_of(text, SOURCE, 1, counted=True))
    except Refused:
        return
    for dialect in (Postgres(), SQLite()):
        with suppress(TokenError):  # it finds no end there, so it says nothing about it
            kinds = [each.token_type for each in dialect.tokenize(text)]
            assert kinds.count(TokenType.SEMICOLON) == ends


@pytest.mark.parametrize(("text", "count"), [*NASTY, *NASTY_SQLITE])
def test_sqlite_takes_each_statement_as_one(text: str, count: int) -> None:
    """SQLite compiles the first statement and says what is left: nothing."""
    connection = apsw.Connection(":memory:")
    connection.execute('CREATE TABLE q (n int, "c;d" text)')
    whole = parse_script(text.encode() + b"\n", SOURCE)
    assert len(whole) == count
    for each in whole:
        found = apsw.ext.query_info(connection, numbered(each, "?"))
        assert not (found.query_remaining or "").strip()
    connection.close()
