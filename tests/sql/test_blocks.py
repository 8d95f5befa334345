"""A definition with a body is one statement, and the semicolons of the body are its own."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.errors import Refused
from dbops.sql.blocks import statements_with_bodies
from dbops.sql.tokens import tokens_of

TRIGGER = """\
CREATE TEMP TRIGGER t AFTER UPDATE OF x ON a WHEN new.x > 0 BEGIN
  UPDATE a SET x = CASE WHEN new.x THEN 1 ELSE CASE y WHEN 2 THEN 3 END END;
  SELECT (CASE x WHEN 1 THEN 2 END) AS "end", new.begin, b.end FROM a b; -- END;
  INSERT INTO log SELECT x end FROM a;
END"""
ATOMIC = """\
CREATE OR REPLACE PROCEDURE his.p(begin date, "case" int) LANGUAGE SQL BEGIN ATOMIC
  INSERT INTO log VALUES (1);
  SELECT CASE WHEN true THEN 1 END;
END"""
BODIES = [
    TRIGGER,
    ATOMIC,
    "CREATE FUNCTION f() RETURNS void BEGIN ATOMIC END",
    "create /* or; */ trigger t after insert on a begin select 1; end",
    "CREATE OR REPLACE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; SELECT (2); SELECT 3)",
]
PLAIN = [
    "CREATE TABLE a (x int, y text DEFAULT 'begin;')",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; SELECT 2; $$",
    "CREATE FUNCTION f(a int) RETURNS int RETURN CASE WHEN a > 0 THEN 1 END",
    "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE RULE r AS ON INSERT TO a DO INSTEAD NOTHING",
    "CREATE INDEX begin ON a (x)",
    "BEGIN",
    "END",
    "SELECT CASE WHEN (1 = 1) THEN 2 END",
    "CREATE",
]


def cut(text: str) -> list[str]:
    """The statements without what is blank around them."""
    statements = statements_with_bodies(tokens_of(text, "up.sql", 1, counted=True), "up.sql")
    texts = ("".join(str(token.piece) for token in each) for each in statements)
    return [text for each in texts if (text := each.strip())]


@given(st.lists(st.sampled_from([*BODIES, *PLAIN]), max_size=6))
def test_statements_are_cut_between_bodies(texts: list[str]) -> None:
    """Whatever stands beside a statement, it is cut where it ends, and nothing is lost."""
    assert cut("".join(f"{text};\n" for text in texts)) == texts
    assert cut(" ;\n".join(texts)) == texts


@pytest.mark.parametrize("text", [TRIGGER, BODIES[3], *PLAIN[:1], *PLAIN[3:-1]])
def test_sqlite_ends_a_statement_at_the_same_place(text: str) -> None:
    """The shell of SQLite takes what is cut for complete, and nothing shorter."""
    assert cut(f"{text};") == [text]
    assert apsw.complete(f"{text};")
    ends = [index + 1 for index, sign in enumerate(text) if sign == ";"]
    assert not any(apsw.complete(text[:end]) for end in ends)


def test_nothing_is_cut_from_nothing() -> None:
    """Semicolons alone are no statements."""
    assert cut("") == cut(";;\n;") == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SELECT 1;\n\nCREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2;\n", 3),
        ("-- a\nCREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS end; SELECT 2", 2),
        ("CREATE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; SELECT 2;", 1),
        ("CREATE TRIGGER begin AFTER INSERT ON a EXECUTE FUNCTION f(); SELECT 1;", 1),
    ],
)
def test_a_body_without_end_is_refused(text: str, line: int) -> None:
    """What follows it would run as part of it, so nothing does."""
    with pytest.raises(Refused) as caught:
        cut(text)
    assert caught.value.code == "script-open"
    what = "the statement that begins there has a body that does not end"
    assert caught.value.message == f"up.sql line {line}: {what}"
    assert caught.value.hint == "close it with END; or with a parenthesis"
