"""What is read of a statement."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dbops
from dbops.repair.clauses import Word, commas, quote
from dbops.repair.parsed import read_statement
from dbops.repair.reading import Doubt, Made, Reading
from dbops.repair.table import TableName
from dbops.sql.script import parse_script

_PACKAGE = Path(dbops.__file__).parent


def read(script: str, dialect: str = "postgres") -> Reading:
    """The reading of the only statement."""
    (statement,) = parse_script(f"{script}\n".encode(), "repair.sql")
    return read_statement(statement, dialect, "repair.sql line 1")


def test_only_the_modules_that_say_so_import_sqlglot() -> None:
    """So that another reader of SQL could take its place."""
    importing = {
        path.relative_to(_PACKAGE).as_posix()
        for path in _PACKAGE.rglob("*.py")
        if re.search(r"^\s*(from|import) sqlglot", path.read_text("utf-8"), re.MULTILINE)
    }
    home = {"repair/parsed.py", "repair/parsed_values.py", "repair/parsed_writes.py"}
    assert importing == home | {"change/parsed.py", "change/parsed_types.py", "sql/tokenized.py"}


@pytest.mark.parametrize(
    ("dialect", "name"),
    [("postgres", "his.visit"), ("oracle", "HIS.VISIT"), ("mysql", "His.Visit")],
)
def test_names_are_as_the_catalogue_has_them(dialect: str, name: str) -> None:
    """Folded as the dialect folds what is not quoted."""
    (write,) = read("DELETE FROM His.Visit WHERE id = 1", dialect).writes
    assert str(write.target.table) == name


def test_quoted_names_are_kept() -> None:
    """Quotes are what keeps them."""
    (write,) = read('DELETE FROM "His"."Visit" WHERE id = 1').writes
    assert write.target.table == TableName("His", "Visit")


def test_a_parameter_is_known_by_its_name_whatever_it_is_called() -> None:
    """Keywords too, which the reader would take for such."""
    for name in ("from", "select", "where", "a", "values"):
        (comparison,) = read(f"DELETE FROM visit WHERE x = :{name}").comparisons
        assert comparison.parameter == name


def test_columns_belong_to_the_table_of_their_alias() -> None:
    """And without one to those of the queries around them."""
    reading = read(
        "DELETE FROM a WHERE x = 1 AND id IN (SELECT b.id FROM b WHERE b.y = 2 AND z = 3)"
    )
    found = {each.column: [str(of.table) for of in each.targets] for each in reading.comparisons}
    assert found == {"x": ["a"], "y": ["b"], "z": ["b", "a"]}


def test_words_leave_out_texts_and_comments() -> None:
    """And `code` leaves out comments only."""
    reading = read("SELECT 'COMMIT' /* ROLLBACK */ FROM a")
    assert reading.words == ("SELECT", "FROM", "A")
    assert reading.code == "SELECT COMMIT FROM a"
    assert "ROLLBACK" in reading.raw


def test_tables_that_are_made_are_seen() -> None:
    """Temporary ones and others."""
    assert read("CREATE TEMP TABLE t AS SELECT 1").makes == (Made(TableName("", "t"), True),)
    assert read("SELECT 1 INTO t").makes == (Made(TableName("", "t"), False),)


def test_a_statement_of_which_a_part_is_lost_is_doubted() -> None:
    """T-SQL's TOP becomes an alias, and its number is gone."""
    assert read("DELETE TOP (3) FROM a WHERE x = 1", "tsql").doubt is Doubt.PART


@pytest.mark.parametrize(
    "script",
    [
        f"SELECT {'(' * 3000}1{')' * 3000}",
        f"DELETE FROM a WHERE {' AND '.join(['x = 1'] * 1100)}",
        f"DELETE FROM a WHERE {'NOT ' * 3000} x = 1",
    ],
    ids=["parentheses", "conditions", "negations"],
)
def test_a_deep_statement_is_read_or_doubted(script: str) -> None:
    """It does not end the process."""
    reading = read(script)
    assert reading.doubt is not None or reading.writes


def test_a_statement_that_breaks_the_parser_is_doubted() -> None:
    """With an error that is none of the parser's own."""
    script = "CREATE DEFAULT TEMP TABLE t AS SELECT FROM 1"
    assert read(script, "tsql").doubt is Doubt.FAULT


def test_an_assignment_to_a_constant_is_no_column() -> None:
    """A slip of the pen in a script does not end the process."""
    (write,) = read("UPDATE visit SET 1, c = 2 WHERE x = 1").writes
    assert write.sets == ("c",)


def test_lists_are_cut_at_their_own_commas() -> None:
    """Commas inside of parentheses are of what stands there."""
    text = "(a, f(b, c), 'd,e')"
    places = [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7), (7, 8), (9, 10), (10, 11)]
    places += [(11, 12), (13, 18), (18, 19)]
    words = [Word("" if text[a] == "'" else text[a:b].upper(), a, b) for a, b in places]
    assert [quote(item, text) for item in commas(words)] == ["a", "f(b, c)", "'d,e'"]
    assert commas(words[:-1]) == []
