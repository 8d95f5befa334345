"""Watch sets proposed from a script, and the manifest drafted from them."""

from __future__ import annotations

import re
from datetime import date

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.errors import Refused
from dbops.repair.draft import draft_manifest
from dbops.repair.head import RepairHead
from dbops.repair.manifest import Repair
from dbops.repair.manifest_text import parse_repair
from dbops.repair.propose import Proposal, ProposedWatch, propose
from dbops.repair.reading import Op
from dbops.review.work import Kind, Work
from dbops.sql.script import parse_script

_INSERT, _UPDATE, _DELETE = (frozenset({op}) for op in Op)
_HEAD = RepairHead(
    id="r-1",
    title='visits: "old"',
    author="zhang.wei@vendor",
    ticket=None,
    database="his",
    opened=date(2026, 11, 20),
)


def watched(script: str, dialect: str = "postgres") -> tuple[str, bool, tuple[str, ...]]:
    """Condition, whether it is the script's own, and columns of the only watch."""
    (watch,) = propose(script, dialect).watches
    return watch.where, watch.exact, watch.may_change


@pytest.mark.parametrize(
    ("script", "where", "columns"),
    [
        (
            "UPDATE his.visit SET ward_code = :to, note = 'x' WHERE ward_code = :from;",
            "ward_code = :from",
            ("ward_code", "note"),
        ),
        (
            "UPDATE his.visit SET a = 1\n WHERE b = 2 -- why\n   AND  c IN (SELECT d FROM e\n"
            " WHERE f = ';') RETURNING id;",
            "b = 2 AND c IN (SELECT d FROM e WHERE f = ';')",
            ("a",),
        ),
        ("DELETE FROM visit WHERE a IS DISTINCT FROM b;", "a IS DISTINCT FROM b", ()),
        (
            "DELETE FROM visit WHERE a = E'x\\ty' AND b = $q$'$q$;",
            "a = E'x\\ty' AND b = $q$'$q$",
            (),
        ),
        (
            "UPDATE visit SET (a, b) = (SELECT x, y FROM z WHERE k = 1) WHERE c::date = :day;",
            "c::date = :day",
            ("a", "b"),
        ),
        (
            'UPDATE :"visits" SET :"ward" = 1 WHERE :"ward" = :old;',
            ':"ward" = :old',
            (':"ward"',),
        ),
        ("DELETE FROM visit WHERE 名称 = '乙' OR 名称 = '甲';", "名称 = '乙' OR 名称 = '甲'", ()),
    ],
)
def test_the_condition_is_the_scripts_own(
    script: str, where: str, columns: tuple[str, ...]
) -> None:
    """Word for word; only comments, breaks and doubled blanks are gone."""
    assert watched(script) == (where, True, columns)


@pytest.mark.parametrize(
    ("script", "where"),
    [
        ("DELETE FROM visit AS v WHERE v.a = 1;", "visit.a = 1"),
        (
            "UPDATE his.visit v SET a = w.a FROM his.ward w WHERE w.id = v.ward AND v.b = 'v.b';",
            "EXISTS (SELECT 1 FROM his.ward w WHERE w.id = his.visit.ward AND his.visit.b = 'v.b')",
        ),
        (
            "DELETE FROM visit USING ward JOIN site ON site.id = ward.s WHERE ward.id = visit.w;",
            "EXISTS (SELECT 1 FROM ward JOIN site ON site.id = ward.s WHERE ward.id = visit.w)",
        ),
        (
            "MERGE INTO visit v USING old o ON v.id = o.id WHEN MATCHED THEN DELETE;",
            "EXISTS (SELECT 1 FROM old o WHERE visit.id = o.id)",
        ),
        (
            "INSERT INTO visit (id, note, gone, at) VALUES (:id, 'x', NULL, :at);",
            "id = :id AND note = 'x' AND at = :at",
        ),
        (
            "DELETE FROM visit WHERE a = 1; UPDATE visit SET a = 2 WHERE b = 3;",
            "(a = 1) OR (b = 3)",
        ),
    ],
)
def test_a_condition_that_was_put_together_says_so(script: str, where: str) -> None:
    """Its author has to read it."""
    proposed, exact, _columns = watched(script)
    assert (proposed, exact) == (where, False)


@pytest.mark.parametrize(
    "script",
    [
        "DELETE FROM visit;",
        "DELETE FROM visit WHERE id = :lost.id;",
        "INSERT INTO visit (id) SELECT id FROM old;",
        "INSERT INTO visit (id) VALUES (1), (2);",
        "INSERT INTO visit (id) VALUES (:lost.id);",
        "INSERT INTO visit VALUES (1);",
        "INSERT INTO visit (id) VALUES (1) ON CONFLICT DO UPDATE SET a = 2;",
        "DELETE FROM visit WHERE a = 1; DELETE FROM visit;",
    ],
)
def test_what_cannot_be_known_is_asked(script: str) -> None:
    """No condition is better than a wrong one."""
    assert watched(script)[0] == ""


def test_writes_of_one_table_are_one_watch() -> None:
    """As a manifest has it; those of a WITH count."""
    script = (
        "WITH x AS (DELETE FROM a WHERE id = 1 RETURNING id) INSERT INTO b SELECT id FROM x;\n"
        "UPDATE b SET x = 1 WHERE id = 2;"
    )
    first, second = sorted(propose(script, "postgres").watches, key=lambda watch: watch.table)
    assert first == ProposedWatch("a", "id = 1", True, _DELETE, (), (1,), ("id = 1",))
    assert second == ProposedWatch("b", "", False, _INSERT | _UPDATE, ("x",), (1, 2), ("id = 2",))


def test_upsert_and_merge_have_all_their_ops() -> None:
    """So that each is asked for."""
    script = "INSERT INTO a (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET x = 1, y = 2;"
    (watch,) = propose(script, "postgres").watches
    assert (watch.ops, watch.may_change) == (_INSERT | _UPDATE, ("x", "y"))
    script = (
        "MERGE INTO a USING b ON a.id = b.id WHEN MATCHED AND b.x = 1 THEN DELETE"
        " WHEN MATCHED THEN UPDATE SET x = b.x WHEN NOT MATCHED THEN INSERT (id) VALUES (b.id);"
    )
    (watch,) = propose(script, "postgres").watches
    assert (watch.ops, watch.may_change) == (_INSERT | _UPDATE | _DELETE, ("x",))


def test_mysql_joins_and_sql_servers_aliases_are_resolved() -> None:
    """Each table that is written gets its watch."""
    script = "UPDATE a x JOIN b y ON x.id = y.id SET x.p = 1, y.q = 2 WHERE x.r = 3;"
    found = [(watch.table, watch.may_change) for watch in propose(script, "mysql").watches]
    assert found == [("a", ("p",)), ("b", ("q",))]
    script = "UPDATE v SET a = 1 FROM dbo.visit v WHERE v.x = 1;"
    assert [watch.table for watch in propose(script, "tsql").watches] == ["dbo.visit"]


def test_what_is_not_read_is_listed() -> None:
    """With its line and why; a proposal never pretends to be whole."""
    script = (
        "DELETE FROM a WHERE id = 1;\nDO $$ BEGIN END $$;\nSELECT his.fix(1);\n"
        "DELETE FROM a WHERE CURRENT OF c;"
    )
    proposal = propose(script, "postgres")
    assert [(each.line, each.why) for each in proposal.unseen] == [
        (2, "is of a kind that is not looked into"),
        (3, "calls functions, which may write too"),
        (4, "cannot be read"),
    ]


def test_placeholders_and_temporary_tables_are_listed() -> None:
    """A placeholder in the place of a table is one of a table."""
    script = (
        "CREATE TEMP TABLE tmp_ids AS SELECT :id AS id;\nINSERT INTO tmp_ids VALUES (1);\n"
        'UPDATE :"visits" SET :"ward" = :to WHERE id = :lost.id;'
    )
    proposal = propose(script, "postgres")
    assert (proposal.values, proposal.rows) == (("id", "to"), ("lost",))
    assert (proposal.tables, proposal.columns) == (("visits",), ("ward",))
    assert proposal.temporary == ("tmp_ids",)
    assert [watch.table for watch in proposal.watches] == [':"visits"']


def test_a_script_that_no_repair_may_hold_is_refused() -> None:
    """As `parse_script` refuses it, with the line."""
    with pytest.raises(Refused) as refused:
        propose("-- nothing\n", "postgres")
    assert refused.value.code == "script-empty"


_SQLITE = [
    "UPDATE visit SET ward = 'ORT' WHERE ward = 'OLD' AND id % 2 = 0",
    "UPDATE visit AS v SET beds = beds + 1 WHERE v.ward IN (SELECT code FROM ward WHERE v.id > 3)",
    "UPDATE visit SET ward = w.code FROM ward w WHERE w.site = visit.beds AND visit.ward <> 'X'",
    "UPDATE visit AS v SET ward = 'Z' FROM ward AS w WHERE w.code = v.ward AND v.id > 2",
    "DELETE FROM visit WHERE ward = 'OLD' OR (beds = 2 AND id < 9)",
    "DELETE FROM visit WHERE ward = 'a--b' OR beds = 1 /* c */",
    "INSERT INTO visit (id, ward, beds) VALUES (77, 'it''s', 4)",
    "INSERT INTO visit (id, ward) VALUES (3, 'ORT') ON CONFLICT (id) DO UPDATE SET beds = 9",
    "DELETE FROM visit WHERE id = 1; UPDATE visit SET beds = 7 WHERE ward = 'ORT' AND beds = 0",
]


@pytest.mark.parametrize("script", _SQLITE)
def test_the_condition_holds_for_what_is_written(script: str) -> None:
    """On a real database: each row that changes fulfils it before, and one that is new after."""
    ((where, _exact, _columns),) = [watched(f"{script};", "sqlite")]
    base = apsw.Connection(":memory:")
    base.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, ward TEXT, beds INTEGER)")
    base.execute("CREATE TABLE ward (code TEXT, site INTEGER)")
    base.execute("INSERT INTO ward VALUES ('ORT', 1), ('OLD', 2)")
    for number in range(1, 13):
        ward = ("OLD", "ORT", "a--b")[number % 3]
        base.execute("INSERT INTO visit VALUES (?, ?, ?)", (number, ward, number % 4))
    chosen = f"SELECT id FROM visit WHERE {where}"
    before, matched = set(base.execute("SELECT * FROM visit")), set(base.execute(chosen))
    base.execute(script)
    after = set(base.execute("SELECT * FROM visit"))
    changed = {(row[0],) for row in before ^ after}
    assert changed
    assert changed <= matched | set(base.execute(chosen))


def _completed(draft: str) -> Repair:
    """The manifest once its author has answered every question."""
    text = draft.replace('{type: "?", value: "?"}', "{type: text, value: ABC}")
    text = text.replace('{type: table, value: "?"}', "{type: table, value: his.visit}")
    text = text.replace('table: "?", value: "?"', "table: visits, value: ward_code")
    text = text.replace('where: "?"', "where: id = 1").replace('rows: "?"', "rows: 50")
    text = text.replace('- table: "?"', "- table: his.visit").replace('["?"]', "[ward_code]")
    text = text.replace('"?"', "1")
    script = "\n".join(["SELECT 1;", *_scripts_of(draft)])
    files = {"repair.yml": text.encode(), "repair.sql": f"{script}\n".encode()}
    if "sealed: true}" in text:
        files["payload.age"] = b"sealed"
    return parse_repair(Work(Kind.REPAIR, "r-1", "repairs/r-1", files))


def _scripts_of(draft: str) -> list[str]:
    """Statements that use each parameter of the draft."""
    found = re.findall(r"^  (\w+): \{type: (\S+),", draft, re.MULTILINE)
    spelled = {'"?"': "SELECT :{};", "table": 'SELECT 1 FROM :"{}";', "column": 'SELECT :"{}";'}
    return [spelled.get(kind, "SELECT :{}.id;").format(name) for name, kind in found]


_DRAFTS = [
    "UPDATE his.visit SET ward_code = :to WHERE ward_code = 'it''s \"so\"' AND b = '\\n: {';",
    'UPDATE :"visits" SET :"ward" = :to WHERE id = :lost.id; DELETE FROM his.old WHERE a = 1;',
    "DELETE FROM a; INSERT INTO b (id) SELECT 1; CREATE TEMP TABLE tmp_ids AS SELECT 1;",
    "SELECT his.fix(1); DO $$ BEGIN END $$;",
    'UPDATE "Odd name"."t" SET "a b" = 1 WHERE "a b" = 2;',
    "INSERT INTO a (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET x = 1;",
    "DELETE FROM visit WHERE note = 'two\nlines';",
]


@pytest.mark.parametrize("script", _DRAFTS)
def test_a_completed_draft_is_a_manifest(script: str) -> None:
    """Its watches are those proposed, whatever their texts hold."""
    proposal = propose(script, "postgres")
    repair = _completed(draft_manifest(_HEAD, proposal))
    assert (repair.id, repair.title, repair.opened) == (_HEAD.id, _HEAD.title, _HEAD.opened)
    assert len(repair.watches) == max(1, len(proposal.watches))
    for watch, proposed in zip(repair.watches, proposal.watches, strict=False):
        if proposed.where:
            written = "".join(piece for piece in watch.where.pieces if isinstance(piece, str))
            assert written == re.sub(r'(?<!:):("?)\w+\1', "", proposed.where)


@pytest.mark.parametrize("script", _DRAFTS)
def test_a_draft_is_refused_until_it_is_completed(script: str) -> None:
    """A question that nobody has answered is no answer."""
    draft = draft_manifest(_HEAD, propose(script, "postgres"))
    files = {"repair.yml": draft.encode(), "repair.sql": f"{script}\n".encode()}
    if "sealed: true}" in draft:
        files["payload.age"] = b"sealed"
    with pytest.raises(Refused) as refused:
        parse_repair(Work(Kind.REPAIR, "r-1", "repairs/r-1", files))
    assert refused.value.code.startswith("repair-")


def test_an_empty_draft_asks_for_everything() -> None:
    """For `repair new` without a script."""
    draft = draft_manifest(_HEAD, Proposal(watches=()))
    assert len(_completed(draft).watches) == 1
    assert "# ticket: " in draft


def test_what_the_author_has_not_said_is_asked_for() -> None:
    """A title and a day that nobody gave are blanks, as all else is that must be filled in."""
    head = RepairHead(id="r-1", author="zhang.wei@vendor", database="his")
    lines = draft_manifest(head, Proposal(watches=())).splitlines()
    assert {'title: "?"', 'opened: "?"'} <= set(lines)


def test_a_draft_says_what_to_check() -> None:
    """At the place where it is to be checked."""
    script = "DELETE FROM a v WHERE v.id = 1;\nDO $$ BEGIN END $$;"
    draft = draft_manifest(_HEAD, propose(script, "postgres"))
    assert "    # check: put together from parts of the script\n    where: " in draft
    assert (
        "  # check: line 2 is of a kind that is not looked into: declare each table that it writes"
        in draft.splitlines()
    )


_TEXT = """UPDATE DELETE FROM visit v SET a = 1 , WHERE ( ) AND :p 'x' "q" . INSERT INTO VALUES
SELECT MERGE USING ON WITH AS LIMIT 3 ; -- /* */ $$ RETURNING * CASE WHEN THEN END :"t" :r.c"""
_WORDS = st.lists(st.sampled_from(_TEXT.split()), max_size=25)


@given(_WORDS, st.sampled_from(["postgres", "sqlite", "mysql", "tsql", "oracle"]))
def test_no_text_breaks_it(words: list[str], dialect: str) -> None:
    """There is a proposal and a draft, or `parse_script` refuses the text."""
    script = " ".join(words)
    try:
        parse_script(f"{script}\n".encode(), "repair.sql")
    except Refused:
        with pytest.raises(Refused):
            propose(script, dialect)
    else:
        assert draft_manifest(_HEAD, propose(script, dialect)).endswith("\n")


def test_the_bounds_of_a_batch_are_no_parameters() -> None:
    """The run gives them, and no manifest may declare them."""
    script = "UPDATE t SET a = :a WHERE id BETWEEN :batch_first AND :batch_last;"
    assert propose(script, "sqlite").values == ("a",)
