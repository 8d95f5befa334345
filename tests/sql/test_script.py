"""A script is cut where the servers cut it, and nothing of its text is changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.errors import Refused
from dbops.sql.script import (
    SIZE_MOST,
    as_written,
    parse_fragment,
    parse_script,
    render,
)
from dbops.sql.statement import Bound, Identifier, RowColumn, Statement
from dbops.sql.tokens import tokens_of

SOURCE = "repairs/w-1/repair.sql"


def refusal(text: str | bytes) -> Refused:
    """How the script is refused."""
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(Refused) as caught:
        parse_script(data, SOURCE)
    return caught.value


def cut(text: str) -> list[str]:
    """The statements' texts as their author wrote them."""
    return [as_written(each) for each in parse_script(text.encode() + b"\n", SOURCE)]


def test_placeholders_are_found_and_the_rest_is_text() -> None:
    """Values, identifiers and columns of rows; casts and assignments stay."""
    script = b"""UPDATE :"visits" v SET ward_code = :to_ward::text, n = f(a := :n)
 WHERE v.id = ANY(ARRAY[:a, :b]) AND v.:"ward" <> -:rows.old_ward;
"""
    assert parse_script(script, SOURCE) == (
        Statement(
            (
                "UPDATE ",
                Identifier("visits"),
                " v SET ward_code = ",
                Bound("to_ward"),
                "::text, n = f(a := ",
                Bound("n"),
                ")\n WHERE v.id = ANY(ARRAY[",
                Bound("a"),
                ", ",
                Bound("b"),
                "]) AND v.",
                Identifier("ward"),
                " <> -",
                RowColumn("rows", "old_ward"),
            ),
            1,
        ),
    )


def test_a_statement_begins_at_its_first_word() -> None:
    """Blank lines and comments before it are kept, and are not its line."""
    found = parse_script(b"-- one;\n\nSELECT 1;\n/* two\n; */ SELECT\n2;\n", SOURCE)
    assert [(each.line, as_written(each)) for each in found] == [
        (3, "-- one;\n\nSELECT 1"),
        (5, "\n/* two\n; */ SELECT\n2"),
    ]


def test_what_is_empty_is_no_statement() -> None:
    """Semicolons in a row and comments at the end do not run."""
    assert cut(";;\n; SELECT 1 ;; -- the end\n; /* really */") == [" SELECT 1 "]


def test_a_statement_names_its_set_of_rows() -> None:
    """Whoever runs it learns from the statement alone that it runs once for each row."""
    found = parse_script(b"SELECT 1; SELECT :lost.id, :lost.note;\n", SOURCE)
    assert [each.rows for each in found] == [None, "lost"]


def test_render_replaces_placeholders_only() -> None:
    """An engine gives its own form to each place, in order."""
    (statement,) = parse_script(b"SELECT :a, :r.b, ':c' FROM :\"t\" -- :d\n", SOURCE)
    places: list[Bound | RowColumn] = []

    def placeholder(place: Bound | RowColumn) -> str:
        places.append(place)
        return f"${len(places)}"

    text = render(statement, placeholder, lambda place: f'"his"."{place.name}"')
    assert text == 'SELECT $1, $2, \':c\' FROM "his"."t" -- :d\n'
    assert places == [Bound("a"), RowColumn("r", "b")]


# Every text in which a semicolon, a quote or a colon is no sign of its own.
OPAQUE = [
    "':a;'",
    "'it''s; '",
    r"'c:\temp\;'",
    r"E'\n;:a'",
    r"E'\\'",
    r"U&'\0041;'",
    "'x'\n  ';'",
    '":a;"',
    '"say ""no;"""',
    "-- it's; :a\n",
    "--\n",
    "/* it's; :a */",
    "/**/",
    "/*/ ; */",
    "/***/",
    "x[1]",
    "x[1:2]",
    "x[i + 1]",
    "ARRAY[1, 2]",
    "ARRAY['a;', ':a']",
    "array [ [';'], [':a'] ]",
    "ARRAY[f(x[1], (':'))]",
    "病区",
    "'病区；'",
    "1::text",
    "x := 1",
    "a$b$c",
    "5 --3\n",
    "x - -1",
    "data #>> '{a;b}'",
    "data ? ';'",
    "@ -1",
]
DOLLARS = ["$$ ; ' :a $$", "$a$ $b$; $$ -- $a$", "$é$;$é$"]
TICKS = ["`a`", "`病 区-1`"]
PLACES = [":a", ":a_1", ':"t"', ":r.c", ":a::int"]
BITS = st.sampled_from([*OPAQUE, *DOLLARS, *TICKS, *PLACES, "(", ")", ",", "=", "WHERE", "*", "\n"])
STATEMENTS = st.lists(BITS, min_size=1, max_size=8).map(lambda bits: f" S {' '.join(bits)} ")


@given(st.lists(STATEMENTS, min_size=1, max_size=5))
def test_every_byte_is_kept(statements: list[str]) -> None:
    """Cutting and rendering with the places as they were written gives back the text."""
    assert cut(";".join(statements) + ";") == statements


@given(st.text(alphabet="a:r.'\"$;-/*E\\ \n[]1,(", max_size=30))
def test_any_text_is_cut_without_loss_or_refused(text: str) -> None:
    """What is not refused is kept, in order, whatever it is."""
    try:
        found = parse_script(text.encode() + b"\n", SOURCE)
    except Refused as fault:
        assert fault.code.startswith("script-")  # noqa: PT017 - the other outcome is below
        return
    tokens = tokens_of(text + "\n", SOURCE, 1, counted=True)
    written = (
        ";" if each.piece is None else as_written(Statement((each.piece,), 1)) for each in tokens
    )
    assert "".join(written) == text + "\n"
    assert all(as_written(each) in text + "\n" for each in found)


BRACKETS = "brackets are an array in one database and a quoted name in another"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("SELECT 'a\n", "script-open", "line 1: a text that begins there does not end"),
        ("SELECT 'a''\n", "script-open", "line 1: a text that begins there does not end"),
        ("\nSELECT $$a\n", "script-open", "line 2: a text that begins there does not end"),
        ("SELECT $a$ $A$\n", "script-open", "line 1: a text that begins there does not end"),
        ('SELECT "a\n', "script-open", "line 1: a quoted name that begins there does not end"),
        *(
            (
                text,
                "script-backtick",
                "line 1: backticks quote a name in one database and are an operator in another",
            )
            for text in ("SELECT `a\n", "SELECT `a;b`\n", "SELECT `a``b`\n", "SELECT `a--b`\n")
        ),
        ("SELECT 1 /* a\n", "script-open", "line 1: a comment that begins there does not end"),
        (
            "SELECT /* /* */ 1 */\n",
            "script-comment",
            "line 1: a comment begins inside a comment, which databases read differently",
        ),
        (
            "SELECT /* a /*/ 1\n",
            "script-comment",
            "line 1: a comment begins inside a comment, which databases read differently",
        ),
        (
            "SELECT 1 /*! + 1 */\n",
            "script-comment",
            "line 1: some databases run what stands in this comment",
        ),
        (
            "SELECT 1 /*M!100 + 1 */\n",
            "script-comment",
            "line 1: some databases run what stands in this comment",
        ),
        (
            "SELECT 'a\\'; DELETE FROM visit; --'\n",
            "script-backslash",
            "line 1: a backslash stands before a quote, which databases read differently",
        ),
        (
            "SELECT\n E'a\\\\\\''\n",
            "script-backslash",
            "line 2: a backslash stands before a quote, which databases read differently",
        ),
        (
            'SELECT "a\\""\n',
            "script-backslash",
            "line 1: a backslash stands before a quote, which databases read differently",
        ),
        (
            "\\copy visit from x\n",
            "script-backslash",
            "line 1: a backslash outside of a text: a command of a client is no sql",
        ),
        (
            "SELECT [a;b]\n",
            "script-bracket",
            f"line 1: {BRACKETS}",
        ),
        (
            "SELECT x[:n]\n",
            "script-bracket",
            f"line 1: {BRACKETS}",
        ),
        *(
            (text, "script-bracket", f"line 1: {BRACKETS}")
            for text in (
                "SELECT []]\n",
                "SELECT [a'; --]\n",
                "SELECT doc['key']\n",
                "SELECT ARRAY['] ; DELETE FROM visit; --']\n",
                "SELECT ARRAY[/* ] */ 1]\n",
                "SELECT ARRAY[$$]$$]\n",
                "SELECT (ARRAY[':' (])\n",
                "SELECT [a]]; SELECT 1\n",
                "SELECT ARRAY[':'; SELECT 1]\n",
                "SELECT (ARRAY[':' )]\n",
            )
        ),
        (
            "SELECT $1\n",
            "script-parameter",
            "line 1: a parameter of the server's stands there",
        ),
        (
            "SELECT 1$a$;$a$\n",
            "script-parameter",
            "line 1: a number and a dollar sign stand together",
        ),
        ("SELECT :Ward\n", "script-placeholder", "line 1: a colon begins no placeholder"),
        ("SELECT : a\n", "script-placeholder", "line 1: a colon begins no placeholder"),
        ("SELECT :1\n", "script-placeholder", "line 1: a colon begins no placeholder"),
        ("SELECT a:::b\n", "script-placeholder", "line 1: a colon begins no placeholder"),
        ('SELECT :"Ward"\n', "script-placeholder", "line 1: a colon begins no placeholder"),
        (
            "SELECT :fromWard\n",
            "script-placeholder",
            "line 1: a placeholder runs into what stands beside it",
        ),
        (
            "SELECT ward:no\n",
            "script-placeholder",
            "line 1: a placeholder runs into what stands beside it",
        ),
        (
            "SELECT :a.B\n",
            "script-placeholder",
            "line 1: a placeholder runs into what stands beside it",
        ),
        (
            "SELECT :a:b\n",
            "script-placeholder",
            "line 1: a placeholder runs into what stands beside it",
        ),
        (
            "SELECT :病\n",
            "script-placeholder",
            "line 1: a colon begins no placeholder",
        ),
        (
            'SELECT "a":"b"\n',
            "script-placeholder",
            "line 1: a placeholder runs into what stands beside it",
        ),
        (
            'SELECT :"a""b"\n',
            "script-placeholder",
            "line 1: a placeholder runs into what stands beside it",
        ),
        (
            'SELECT U&:"a"\n',
            "script-placeholder",
            "line 1: a placeholder runs into what stands beside it",
        ),
        ("SELECT :a.x, :b.y\n", "script-rows", "line 1: a statement uses two sets of rows"),
    ],
)
def test_what_databases_may_read_differently_is_refused(text: str, code: str, message: str) -> None:
    """With the line where it stands."""
    fault = refusal(text)
    assert (fault.code, fault.message) == (code, f"{SOURCE} {message}")


def test_an_array_that_is_left_open_is_refused() -> None:
    """At the end of the text, where it shows."""
    assert refusal("SELECT ARRAY[':'\n").message == f"{SOURCE} line 2: {BRACKETS}"


def test_a_script_has_a_statement() -> None:
    """Comments alone repair nothing."""
    fault = refusal("-- nothing\n;\n")
    assert (fault.code, fault.message) == ("script-empty", f"{SOURCE} holds no statement")


def test_rows_in_a_script_have_a_bound() -> None:
    """Megabytes of literals are nothing that anybody reviews."""
    fault = refusal(b"-" * (SIZE_MOST + 1))
    assert (fault.code, fault.message) == ("script-long", f"{SOURCE} has over 4194304 bytes")
    assert fault.hint == "keep rows in a payload, and name them in the script as :rows.column"


def test_hidden_characters_are_refused() -> None:
    """A reviewer sees all of the text."""
    assert refusal("SELECT 1 \u202e;\n").code == "text-hidden"
    assert refusal(b"SELECT '\xff';\n").code == "text-encoding"
    assert refusal("SELECT 1;").code == "text-end"


def test_long_texts_are_cut_in_time() -> None:
    """A text of a mebibyte takes one pass."""
    text = f"SELECT '{chr(39) * 2 * (1 << 19)}', $$ {'$a' * (1 << 18)} $$, [{'x' * (1 << 19)}]"
    assert cut(f"{text}; SELECT 1") == [text, " SELECT 1\n"]


def test_a_fragment_is_one_expression() -> None:
    """It keeps its text and its placeholders, and is of the line of its key."""
    found = parse_fragment("a IN (:x, ')')\n AND b = ANY(ARRAY[1])\n", "repair.yml", 7)
    assert found.line == 7
    assert as_written(found) == "a IN (:x, ')')\n AND b = ANY(ARRAY[1])\n"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("a = 1; DROP TABLE b", "script-fragment", "a semicolon stands in the sql"),
        ("a = 1;", "script-fragment", "a semicolon stands in the sql"),
        ("a = 1 -- b", "script-fragment", "a comment stands in the sql"),
        ("a = /* 1 */ 2", "script-fragment", "a comment stands in the sql"),
        ("a = 1) OR (b = 2", "script-parentheses", "parentheses do not match"),
        ("(a = 1", "script-parentheses", "parentheses do not match"),
        ("a = 1)", "script-parentheses", "parentheses do not match"),
        (" \n", "script-empty", "the sql is empty"),
        ("a = '\n\n", "script-open", "a text that begins there does not end"),
        ("\n\na = :A", "script-placeholder", "a colon begins no placeholder"),
    ],
)
def test_a_fragment_cannot_leave_its_place(text: str, code: str, message: str) -> None:
    """Inside other text it can neither end it, hide it, nor close its parentheses."""
    with pytest.raises(Refused) as caught:
        parse_fragment(text, "repair.yml", 7)
    fault = caught.value
    assert (fault.code, fault.message) == (code, f"repair.yml line 7: {message}")
