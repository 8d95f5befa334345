"""Scripts of a change: one statement one step, named by the comment before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.change.script import parse_steps, steps_of, verify_steps
from dbops.change.step import Direction, Step
from dbops.errors import Refused
from dbops.sql.script import SIZE_MOST
from tests.change.manifests import HEAD, SCRIPTS, work_of

SCRIPT = """\
-- All of this is about wards.
  -- step: make it
CREATE TABLE a (x integer[], -- remarks inside stay
  y text DEFAULT 'a;b'::text) /* and behind are gone */;
ALTER TABLE a ADD CHECK (y ~ '^\\d+$');

/* a remark */
--Step:   fill  it
INSERT INTO a SELECT ARRAY[1], ':n';
CREATE TRIGGER t AFTER INSERT ON a BEGIN
  -- what it does
  SELECT 1;
END
; -- the end
"""


def refusal(text: str) -> Refused:
    """How the script is refused."""
    with pytest.raises(Refused) as caught:
        parse_steps(text.encode(), "changes/c-1/up.sql")
    return caught.value


def test_a_script_is_steps() -> None:
    """The text of each is the statement's own; the line is that of its first word."""
    assert parse_steps(SCRIPT.encode(), "up.sql") == (
        Step(
            1,
            "make it",
            "CREATE TABLE a (x integer[], -- remarks inside stay\n  y text DEFAULT 'a;b'::text)",
            3,
        ),
        Step(2, "step 2", "ALTER TABLE a ADD CHECK (y ~ '^\\d+$')", 5),
        Step(3, "fill  it", "INSERT INTO a SELECT ARRAY[1], ':n'", 9),
        Step(
            4,
            "step 4",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  -- what it does\n  SELECT 1;\nEND",
            10,
        ),
    )


_words = st.sampled_from(["step", "part", "Part"])
_names = st.none() | st.text("ab:- 1中", max_size=70).map(lambda text: f"x{text}x")
_statements = st.sampled_from(
    ["SELECT 1", "SELECT ';', $$ ; $$", "CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2)"]
)
_remarks = st.sampled_from(["", "-- remark\n", "/* re;\nmark */\n", "\n\n", ";\n"])


@given(st.lists(st.tuples(_remarks, _words, _names, _statements), min_size=1, max_size=6))
def test_steps_are_numbered_and_named(parts: list[tuple[str, str, str | None, str]]) -> None:
    """Remarks and empty statements between them change nothing; a part begins where one says so."""
    names = [name and f"{name} {number}" for number, (_, _, name, _) in enumerate(parts, 1)]
    text = "".join(
        f"{remark}{f'-- {word}: {name}{chr(10)}' if name else ''}{sql};\n"
        for (remark, word, _, sql), name in zip(parts, names, strict=True)
    )
    found = parse_steps(text.encode(), "up.sql")
    assert [step.number for step in found] == list(range(1, len(parts) + 1))
    assert [step.name for step in found] == [
        name or f"step {number}" for number, name in enumerate(names, 1)
    ]
    assert [step.sql for step in found] == [sql for *_, sql in parts]
    assert [step.begins for step in found] == [
        bool(name) and word != "step" for _, word, name, _ in parts
    ]


def test_a_step_is_known_by_its_text() -> None:
    """Its name, its place and the remarks around it may change."""
    (one,) = parse_steps(b"-- step: a\nSELECT 1;\n", "up.sql")
    _, other = parse_steps(b"SELECT 2;\n-- why\nSELECT 1 -- because\n;\n", "up.sql")
    (part,) = parse_steps(b"-- part: a\nSELECT 1;\n", "up.sql")
    assert one.digest == other.digest == part.digest
    assert len(one.digest) == 64


STEP = "script-step"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("-- step: a\n", STEP, "line 1: a step's name has no statement"),
        ("SELECT 1;\n-- step: a\n;\nSELECT 2;\n", STEP, "line 2: a step's name has no statement"),
        ("-- step:\nSELECT 1;\n", STEP, "line 1: this is no name of a step"),
        (f"-- step: {'a' * 81}\nSELECT 1;\n", STEP, "line 1: this is no name of a step"),
        (
            "-- step: a\n-- step: b\nSELECT 1;\n",
            STEP,
            "line 2: two names stand before one statement",
        ),
        (
            "SELECT 1\n-- step: b\nSELECT 2;\n",
            STEP,
            "line 2: a step's name stands inside a statement",
        ),
        (
            "SELECT 1; -- step: b\nSELECT 2;\n",
            STEP,
            "line 1: a step's name stands behind something",
        ),
        (
            "SELECT 1;-- step: b\nSELECT 2;\n",
            STEP,
            "line 1: a step's name stands behind something",
        ),
        (
            "/* a */ -- step: b\nSELECT 2;\n",
            STEP,
            "line 1: a step's name stands behind something",
        ),
        (
            "-- step: a\nSELECT 1;\n\n-- step: a\nSELECT 2;\n",
            STEP,
            'line 5: the step of line 2 is called "a" too',
        ),
        (
            "-- step: step 2\nSELECT 1;\nSELECT 2;\n",
            STEP,
            'line 3: the step of line 2 is called "step 2" too',
        ),
        ("-- part: a\n", STEP, "line 1: a part's name has no statement"),
        ("-- part:\nSELECT 1;\n", STEP, "line 1: this is no name of a part"),
        (f"-- part: {'a' * 81}\nSELECT 1;\n", STEP, "line 1: this is no name of a part"),
        (
            "-- step: a\n-- part: b\nSELECT 1;\n",
            STEP,
            "line 2: two names stand before one statement",
        ),
        (
            "-- part: a\n-- part: b\nSELECT 1;\n",
            STEP,
            "line 2: two names stand before one statement",
        ),
        (
            "SELECT 1\n-- part: b\nSELECT 2;\n",
            STEP,
            "line 2: a part's name stands inside a statement",
        ),
        (
            "SELECT 1; -- part: b\nSELECT 2;\n",
            STEP,
            "line 1: a part's name stands behind something",
        ),
        (
            "-- part: a\nSELECT 1;\n\n-- step: a\nSELECT 2;\n",
            STEP,
            'line 5: the step of line 2 is called "a" too',
        ),
        (
            "\nSELECT :n;\n",
            "script-placeholder",
            "line 2: a placeholder stands there, and a change binds no values",
        ),
        (
            'SELECT 1 FROM :"t";\n',
            "script-placeholder",
            "line 1: a placeholder stands there, and a change binds no values",
        ),
        (
            "SELECT 1 : 2;\n",
            "script-placeholder",
            "line 1: a colon begins no placeholder",
        ),
        (
            "CREATE FUNCTION f(int) RETURNS int RETURN $1;\n",
            "script-parameter",
            "line 1: a parameter of the server's stands there",
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;\n",
            "script-open",
            "line 1: the statement that begins there has a body that does not end",
        ),
    ],
)
def test_what_is_no_step_is_refused(text: str, code: str, message: str) -> None:
    """With the line, and without a word of repairs' placeholders in the hint."""
    fault = refusal(text)
    assert (fault.code, fault.message) == (code, f"changes/c-1/up.sql {message}")
    assert ":name" not in fault.hint


def test_hints_are_of_changes() -> None:
    """What the lexer would advise a repair is of no use here."""
    assert refusal("SELECT :n;\n").hint == (
        "write the value itself; a cast has two colons, and a text is quoted"
    )
    assert refusal("\\d a\n").hint == (
        "write a quote inside a text twice, and no commands of a client"
    )


def test_an_empty_script_is_refused() -> None:
    """A file of remarks, as a new change has it, does nothing."""
    fault = refusal("-- to be written\n;\n")
    assert (fault.code, fault.message) == ("script-empty", "changes/c-1/up.sql holds no statement")
    assert fault.hint == "write its statements, each ended by a semicolon"


def test_hidden_characters_are_refused() -> None:
    """What no screen draws is in no statement."""
    assert refusal("SELECT 1 AS a\u200bb;\n").code == "text-hidden"


def test_a_script_has_a_size() -> None:
    """More than 4 MiB is nothing that people review."""
    fault = refusal("-" * (SIZE_MOST + 1))
    assert (fault.code, fault.hint) == ("script-long", "split the change")


def test_each_direction_has_its_file() -> None:
    """Without down.sql there are no steps down; verify.sql must be there."""
    work = work_of(HEAD)
    assert [step.sql for step in steps_of(work, Direction.UP)] == [
        "CREATE TABLE his.ward (code text)"
    ]
    assert [step.sql for step in steps_of(work, Direction.DOWN)] == ["DROP TABLE his.ward"]
    assert [step.sql for step in verify_steps(work)] == ["SELECT true"]
    lone = work_of(HEAD, {"up.sql": SCRIPTS["up.sql"]})
    assert steps_of(lone, Direction.DOWN) == ()
    with pytest.raises(Refused) as caught:
        verify_steps(lone)
    assert caught.value.code == "change-files"
    assert caught.value.message == "there is no changes/c-1/verify.sql"


@pytest.mark.parametrize("sql", ["select 1", "WITH a AS (SELECT 1) SELECT * FROM a", "VALUES(1)"])
def test_verify_asks(sql: str) -> None:
    """A query is what gives a value."""
    (step,) = verify_steps(work_of(HEAD, {"verify.sql": f"{sql};\n".encode()}))
    assert step.sql == sql


@pytest.mark.parametrize("sql", ["DELETE FROM a", "(SELECT 1)", "EXPLAIN SELECT 1", "select_1()"])
def test_verify_does_nothing_else(sql: str) -> None:
    """Any other statement is refused with its line."""
    with pytest.raises(Refused) as caught:
        verify_steps(work_of(HEAD, {"verify.sql": f"SELECT 1;\n{sql};\n".encode()}))
    assert caught.value.code == "script-query"
    assert caught.value.message == "changes/c-1/verify.sql line 2: this is no query"


def test_a_part_begins_where_its_comment_says() -> None:
    """In letters of any size; the step has that name, and others go on where they are."""
    text = "-- part: a\nSELECT 1;\nSELECT 2;\n  --PART:  b c \n-- why\nSELECT 3;\n"
    text += "-- step: d\nSELECT 4;\n"
    assert [(step.name, step.begins) for step in parse_steps(text.encode(), "up.sql")] == [
        ("a", True),
        ("step 2", False),
        ("b c", True),
        ("d", False),
    ]


ALMOST = [
    "-- part",
    "-- part b",
    "-- parts: b",
    "-- part : b",
    "-- part; b",
    "-- part=b",
    "-- part 2: b",
    "-- part2: b",
    "-- part_b",
    "-- part - b",
    "-- part\N{FULLWIDTH COLON}b",
    "--- part: b",
    "/* part: b */",
    "/*\n * Part: b\n */",
    "-- PART B",
]


@pytest.mark.parametrize("remark", ALMOST)
def test_a_mark_that_is_nearly_one_is_refused(remark: str) -> None:
    """Whoever wrote it meant two transactions, and would get one."""
    fault = refusal(f"SELECT 1;\n{remark}\nSELECT 2;\n")
    assert (fault.code, fault.message) == (
        STEP,
        "changes/c-1/up.sql line 2: this remark is not how a part begins",
    )
    assert fault.hint == "write -- part: name where a transaction begins; else another word first"


@pytest.mark.parametrize(
    "remark",
    ["-- part", "-- parts: b", "/* part */", "/* part: b */", "-- part\N{FULLWIDTH COLON}b"],
)
def test_nearly_a_mark_inside_a_statement_is_refused(remark: str) -> None:
    """As where the semicolon before it was forgotten."""
    fault = refusal(f"SELECT 1\n{remark}\nFROM a;\n")
    assert fault.message == "changes/c-1/up.sql line 2: this remark is not how a part begins"


@pytest.mark.parametrize(
    "remark",
    [
        "-- partition by month",
        "-- partly",
        "-- a part: of it",
        "-- the part",
        "/* apart: b */",
    ],
)
def test_other_remarks_stay_remarks(remark: str) -> None:
    """Words that only begin alike, and the word behind another."""
    steps = parse_steps(f"SELECT 1;\n{remark}\nSELECT 2 {remark}\n;\n".encode(), "up.sql")
    assert [step.begins for step in steps] == [False, False]


def test_inside_a_statement_a_remark_may_begin_with_the_word() -> None:
    """What explains a column is no name of a transaction."""
    text = "CREATE TABLE a (\n  x text, -- part of the key\n  y text -- part 2\n);\n"
    (step,) = parse_steps(text.encode(), "up.sql")
    assert step.sql == text[:-2]


def test_a_text_is_no_comment() -> None:
    """Nor is what stands in a body."""
    text = "SELECT '\n-- part: b\n', $$\n-- part: c\n$$;\n"
    assert [step.begins for step in parse_steps(text.encode(), "up.sql")] == [False]


def test_verify_has_no_parts() -> None:
    """It is asked once, at the end, whatever else its statements are."""
    with pytest.raises(Refused) as caught:
        verify_steps(work_of(HEAD, {"verify.sql": b"SELECT 1;\n-- part: b\nSELECT 2;\n"}))
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        STEP,
        "changes/c-1/verify.sql line 3: verify.sql has no parts",
        "write -- step: name; it is asked at the end",
    )
