"""Differences in words: lines that can be printed, short texts said and long ones not."""

from __future__ import annotations

import pytest
from hypothesis import given

from dbops.change.diff import Difference, Verb
from dbops.change.schema import ObjectKind, ObjectName
from dbops.change.words import difference_words, printable, short_type, text_diff
from tests.change.schemas import INDEX, TABLE, WARD, differences, name

VIEW = name(ObjectKind.VIEW, "his", "v")
CHECK = name(ObjectKind.CONSTRAINT, "his", "visit", "visit_ward_fk")
COLUMN = "column `ward_code` of `his.visit`"


@given(differences)
def test_words_are_lines_that_can_be_printed(difference: Difference) -> None:
    """Whatever the names and texts are; the same ones each time."""
    lines = difference_words(difference)
    assert all(line.isprintable() for line in lines)
    assert len(lines) == (len(difference.changed) if difference.verb is Verb.ALTER else 1)
    assert difference_words(difference) == lines
    assert all(line.isprintable() for line in text_diff(difference))


def altered(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is said of a column of which this differs, behind its name."""
    lines = difference_words(Difference(Verb.ALTER, WARD, before, after, (TABLE,)))
    assert all(line.startswith(f"{COLUMN}: ") for line in lines)
    return [line.removeprefix(f"{COLUMN}: ") for line in lines]


@pytest.mark.parametrize(
    ("key", "old", "new", "said"),
    [
        ("type", "character varying(8)", "character varying(12)", "varchar(8) → varchar(12)"),
        ("type", "integer", "x" * 61, "type differs"),
        ("default", None, "1", "default: none → 1"),
        ("default", "1", None, "default: 1 → none"),
        ("default", "''::text", "", "default: ''::text → empty"),
        ("default", "1", "yes", "default: 1 → yes"),
        ("not null", None, "yes", "now not null"),
        ("not null", "yes", None, "no longer not null"),
        ("valid", None, "no", "now not valid"),
        ("valid", "no", None, "valid again"),
        ("position", "3", "4", "position: 3 → 4"),
        ("comment", "old", "x" * 60, f"comment: old → {'x' * 60}"),
        ("comment", "old", "x" * 61, "comment differs"),
        ("comment", None, "a\nb", "comment is new"),
        ("comment", "a\nb", None, "comment is gone"),
        ("options", None, "x" * 61, "options are new"),
        ("options", "x" * 61, None, "options are gone"),
        ("options", "x" * 61, "y", "options differ"),
        ("grants", "his: SELECT", "PUBLIC: SELECT", "grants: his: SELECT → PUBLIC: SELECT"),
        ("comment", "a\tb", "\x1b[2J", "comment: a\\tb → \\x1b[2J"),
        ("of", "", "column his.a.b", "now belongs to column his.a.b"),
        ("of", "column his.a.b", "", "no longer belongs to column his.a.b"),
        ("of", "table a", "table b", "now belongs to table b, no longer to table a"),
        ("enabled", None, "disabled", "now disabled"),
        ("enabled", "disabled", None, "now enabled"),
        ("enabled", None, "replica", "now enabled for replicated rows only"),
        ("enabled", "replica", "always", "now enabled always, for replicated rows too"),
        ("enabled", None, "seldom", "enabled: none → seldom"),
        ("inherited", None, "yes", "now inherited"),
        ("inherited", "yes", None, "now of its own"),
        ("inherited", "yes", "and of its own", "now inherited and of its own"),
        ("row security", None, "yes", "row security is on now"),
        ("row security", "yes", None, "row security is off now"),
        ("row security of owner", None, "yes", "row security now holds for the owner too"),
        ("row security of owner", "yes", None, "row security no longer holds for the owner"),
        ("cycle", None, "yes", "now begins again at its end"),
        ("detach pending", None, "yes", "is being detached"),
        ("all tables", "yes", None, "no longer of all tables"),
        ("template", None, "yes", "now a template"),
        ("triggers", None, "disabled", "triggers: enabled → disabled"),
        ("replica identity", None, "full", "replica identity: the primary key → full"),
        (
            "system functions",
            f"PostgreSQL 15, sha256 {'a' * 64}",
            f"PostgreSQL 15, sha256 {'b' * 64}",
            "system functions were altered",
        ),
        (
            "system text search",
            f"PostgreSQL 15, sha256 {'a' * 64}",
            f"PostgreSQL 17, sha256 {'b' * 64}",
            "system text search: PostgreSQL 15 → PostgreSQL 17",
        ),
        ("members", None, f"5 objects, sha256 {'a' * 64}", "members: none → 5 objects"),
    ],
)
def test_properties_in_words(key: str, old: str | None, new: str | None, said: str) -> None:
    """A text over 60 characters, or of two lines, is not repeated."""
    before = {} if old is None else {key: old}
    assert altered(before, {} if new is None else {key: new}) == [said]


def test_grants_are_told_apart() -> None:
    """Of a long list only what came and went; of a very long one that it differs."""
    stay = "; ".join(f"role_{number}: SELECT" for number in range(5))
    gone, come = f"{stay}; his: ALL", f"PUBLIC: SELECT; {stay}"
    assert altered({"grants": gone}, {"grants": come}) == ["grants + PUBLIC: SELECT; - his: ALL"]
    many = "; ".join(f"other_{number}: SELECT" for number in range(20))
    assert altered({"grants": stay}, {"grants": many}) == ["grants differ"]
    assert altered({}, {"grants": many}) == ["grants are new"]


def test_grants_that_nobody_set_are_not_told_as_taken_away() -> None:
    """What the owner has of them is not known where a schema was read from a file."""
    had = "PUBLIC: DELETE, INSERT, SELECT, UPDATE; his: DELETE, INSERT, SELECT, UPDATE"
    for before, after, said in (
        (had, None, f"grants: {had} → those of a new one"),
        (None, had, f"grants: those of a new one → {had}"),
        (None, f"{had}; {'x' * 99}: SELECT", "grants differ"),
    ):
        was, now = ({} if text is None else {"grants": text} for text in (before, after))
        found = Difference(Verb.ALTER, TABLE, was, now)
        assert difference_words(found) == (f"table `his.visit`: {said}",)
    lines = text_diff(Difference(Verb.ALTER, TABLE, {"grants": had}, {}))
    assert lines[-2:] == [f"-{had}", "+those of a new one"]


def test_usual_grants_are_nothing_new() -> None:
    """What the owner may do from the beginning is told neither as granted nor as taken away."""
    usual, more = "his: ALL", "PUBLIC: SELECT; his: ALL"
    for before, after, said in (
        ({}, {"grants": more}, "grants + PUBLIC: SELECT"),
        ({"grants": more}, {}, "grants - PUBLIC: SELECT"),
        ({}, {"grants": "nobody"}, "grants + nobody; - his: ALL"),
    ):
        found = Difference(Verb.ALTER, TABLE, before, after, usual={"grants": usual})
        assert difference_words(found) == (f"table `his.visit`: {said}",)


def test_a_long_text_begins_with_the_usual_one() -> None:
    """Lines of a diff go from what the grants were, not from nothing."""
    usual = "; ".join(f"role_{number}: SELECT" for number in range(9))
    found = Difference(
        Verb.ALTER, TABLE, {}, {"grants": f"PUBLIC: SELECT; {usual}"}, usual={"grants": usual}
    )
    assert f"-{usual}" in text_diff(found)


def test_the_type_comes_first() -> None:
    """Then the other properties, in the order of the alphabet."""
    assert altered(
        {"type": "text", "collation": "C", "default": "1"}, {"type": "integer", "not null": "yes"}
    ) == ["text → integer", "collation: C → none", "default: 1 → none", "now not null"]


@pytest.mark.parametrize(
    ("verb", "what", "within", "said"),
    [
        (Verb.CREATE, INDEX, (TABLE,), "index `his.visit_ward_ix` on `his.visit` is new"),
        (Verb.DROP, WARD, (TABLE,), "column `ward_code` of `his.visit` is gone"),
        (Verb.DROP, WARD, (), "column `ward_code` of `his.visit` is gone"),
        (Verb.CREATE, VIEW, (), "view `his.v` is new"),
        (Verb.CREATE, CHECK, (TABLE,), "constraint `visit_ward_fk` of `his.visit` is new"),
        (
            Verb.DROP,
            name(ObjectKind.TRIGGER, "visit_audit"),
            (name(ObjectKind.TABLE, "visit"),),
            "trigger `visit_audit` on `visit` is gone",
        ),
        (
            Verb.CREATE,
            name(ObjectKind.FUNCTION, "his", "age(date, integer)"),
            (),
            "function `his.age(date, integer)` is new",
        ),
        (
            Verb.DROP,
            name(ObjectKind.TABLE, "his", "a\u200bb"),
            (),
            'table `his."a\\u200bb"` is gone',
        ),
    ],
)
def test_objects_that_come_and_go(
    verb: Verb, what: ObjectName, within: tuple[ObjectName, ...], said: str
) -> None:
    """Kind and name, and what the object belongs to."""
    assert difference_words(Difference(verb, what, within=within)) == (said,)


def test_a_new_column_says_its_type() -> None:
    """As people write it; one that cannot be said on the line is left out."""
    new = Difference(Verb.CREATE, WARD, {}, {"type": "timestamp with time zone"}, (TABLE,))
    assert difference_words(new) == (f"{COLUMN} is new: timestamptz",)
    new = Difference(Verb.CREATE, WARD, {}, {"type": "x" * 61}, (TABLE,))
    assert difference_words(new) == (f"{COLUMN} is new",)


POLICY = name(ObjectKind.POLICY, "his", "visit", "own")
RULE = name(ObjectKind.RULE, "his", "visit", "keep")
AGE = name(ObjectKind.FUNCTION, "his", "age(date)")


@pytest.mark.parametrize(
    ("what", "properties", "said"),
    [
        (WARD, {"type": "integer", "not null": "yes", "grants": "lab: SELECT"},
         f"{COLUMN} is new: integer; grants: lab: SELECT"),
        (POLICY, {"command": "select", "roles": "his, lab", "using": "(id > 1)"},
         "policy `own` on `his.visit` is new: for select to his, lab; USING (id > 1)"),
        (POLICY, {"command": "all", "roles": "PUBLIC", "restrictive": "yes", "using": "(a\n  > 1)",
                  "check": "x" * 201},
         "policy `own` on `his.visit` is new: restrictive, for all to PUBLIC; USING (a > 1);"
         " WITH CHECK …"),
        (RULE, {"definition": "CREATE RULE keep AS\n    ON DELETE TO his.visit\n   WHERE (old.id >"
                " 1) DO INSTEAD  NOTHING;"},
         "rule `keep` on `his.visit` is new: ON DELETE TO his.visit WHERE (old.id > 1) DO INSTEAD"
         " NOTHING"),
        (RULE, {"definition": f"CREATE RULE keep AS ON DELETE TO his.visit DO {'x' * 200};"},
         "rule `keep` on `his.visit` is new"),
        (AGE, {"definition": "CREATE FUNCTION his.age(date)\n LANGUAGE sql\n SECURITY DEFINER\n"
               " SET work_mem TO '1MB'\nAS $$x$$", "grants": "his: EXECUTE; lab: EXECUTE"},
         "function `his.age(date)` is new: security definer; setting work_mem '1MB'; grants: his:"
         " EXECUTE; lab: EXECUTE"),
        (TABLE, {"owner": "his", "grants": "x" * 61}, "table `his.visit` is new"),
    ],
)  # fmt: skip
def test_what_matters_of_a_new_object(
    what: ObjectName, properties: dict[str, str], said: str
) -> None:
    """For whom it is, and what it lets them do; texts that are too long are in the diff."""
    within = (TABLE,) if what in {WARD, POLICY, RULE} else ()
    assert difference_words(Difference(Verb.CREATE, what, {}, properties, within)) == (said,)


@pytest.mark.parametrize(
    ("key", "old", "new", "said", "texts"),
    [
        ("grants of members", None, "his: ALL on table a\nwithout PUBLIC: USAGE on type b",
         "grants of members: + his: ALL on table a; - PUBLIC: USAGE on type b", 0),
        ("grants of members", "his: ALL on table a\nwithout PUBLIC: USAGE on type b", None,
         "grants of members: + PUBLIC: USAGE on type b; - his: ALL on table a", 0),
        ("powers of members", "function a: security definer", None,
         "powers of members: - function a: security definer", 0),
        ("policies of members", None, "\n".join(f"policy {n}: {'x' * 90}" for n in range(5)),
         "policies of members: 5 more, 0 less", 8),
        ("tables of members", "column a.b: type text\ntable a", "column a.b: type date\nindex i: x",
         "tables of members: + index i; - table a; column a.b differs", 7),
    ],
)  # fmt: skip
def test_lists_of_members(
    key: str, old: str | None, new: str | None, said: str, texts: int
) -> None:
    """What came and went; a diff is there only where the words do not say all of it."""
    what = name(ObjectKind.EXTENSION, "dblink")
    before, after = ({} if text is None else {key: text} for text in (old, new))
    found = Difference(Verb.ALTER, what, before, after)
    assert difference_words(found) == (f"extension `dblink`: {said}",)
    assert len(text_diff(found)) == texts


def test_the_short_definition_of_an_object_that_came_or_went() -> None:
    """Words do not say it, so it stands below, on one line."""
    text = {"definition": "CHECK (a > 0)"}
    assert text_diff(Difference(Verb.CREATE, CHECK, {}, text)) == ["+CHECK (a > 0)"]
    assert text_diff(Difference(Verb.DROP, CHECK, text)) == ["-CHECK (a > 0)"]
    assert text_diff(Difference(Verb.ALTER, CHECK, {}, text)) == []
    column = {"definition": "ward_code TEXT", "type": "TEXT"}
    assert text_diff(Difference(Verb.CREATE, WARD, {}, column)) == []
    column["definition"] += " COLLATE NOCASE"
    assert text_diff(Difference(Verb.CREATE, WARD, {}, column)) == [
        "+ward_code TEXT COLLATE NOCASE"
    ]


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("character varying", "varchar"),
        ("character varying(8)[]", "varchar(8)[]"),
        ("character(3)", "char(3)"),
        ("character[]", "char[]"),
        ("character", "char"),
        ("bit varying(4)", "varbit(4)"),
        ("timestamp without time zone", "timestamp"),
        ("timestamp(3) without time zone", "timestamp(3)"),
        ("timestamp(0) with time zone[]", "timestamptz(0)[]"),
        ("time with time zone", "timetz"),
        ("numeric(12,2)", "numeric(12,2)"),
        ("his.character_of_ward", "his.character_of_ward"),
    ],
)
def test_types_are_shortened(full: str, short: str) -> None:
    """To what PostgreSQL takes for the same type."""
    assert short_type(full) == short


def test_long_texts_are_diffed() -> None:
    """Line by line, each long property with its name; short ones were said already."""
    before = {"definition": "SELECT a\n  FROM t", "owner": "his"}
    after = {"definition": "SELECT a,\tb\n  FROM t", "owner": "dba"}
    assert text_diff(Difference(Verb.ALTER, VIEW, before, after)) == [
        "--- view his.v, definition before",
        "+++ view his.v, definition after",
        "@@ -1,2 +1,2 @@",
        "-SELECT a",
        "+SELECT a,       b",
        "   FROM t",
    ]


def test_the_long_text_of_a_new_object_is_shown() -> None:
    """All of it is new; of one that is gone all of it went."""
    text = {"definition": "a\nb", "comment": "short"}
    new = text_diff(Difference(Verb.CREATE, VIEW, {}, text))
    assert new[2:] == ["@@ -0,0 +1,2 @@", "+a", "+b"]
    gone = text_diff(Difference(Verb.DROP, VIEW, text))
    assert gone[2:] == ["@@ -1,2 +0,0 @@", "-a", "-b"]


def test_what_terminals_obey_is_an_escape() -> None:
    """Controls, invisible characters and halves of characters."""
    assert printable("a\r\n病\x9b\u202e\ud800") == "a\\r\\n病\\x9b\\u202e\\ud800"
