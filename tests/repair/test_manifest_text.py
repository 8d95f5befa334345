"""`repair.yml`: what it may say, and the line of whatever it may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from dbops.repair.manifest import (
    Accepted,
    Batch,
    Cause,
    Condition,
    Limits,
    Repair,
    SideEffect,
    UndoOf,
    UndoRules,
    Watch,
)
from dbops.repair.manifest_text import parse_repair, script_of
from dbops.repair.parameter import Parameter, ParameterType
from dbops.repair.table import TableName
from dbops.review.work import Kind, Risk, Work, read_manifest
from dbops.sql.statement import Bound, Identifier, Statement
from dbops.sql.written import Written
from tests.repair.manifests import (
    HEAD,
    LIMITS,
    ROWS_RULE,
    SCRIPT,
    SMALL,
    UNDO,
    WHOLE,
    refusal,
    small,
    whole,
    work_of,
)


def test_a_whole_manifest_is_read() -> None:
    """Every key of the grammar, with parameters resolved wherever they are no SQL."""
    work = work_of(WHOLE, SCRIPT, payload=True)
    assert parse_repair(work) == Repair(
        id="w-1",
        title="38 visits booked to the closed ward",
        author="zhang.wei@vendor",
        ticket="T-117",
        risk=Risk.LOW,
        database="his",
        opened=date(2026, 11, 20),
        clocks=("data-error", "contract"),
        cause=Cause("the interface kept the old map", "T-120"),
        parameters={
            "from_ward": Parameter("from_ward", ParameterType.TEXT, "OLD", line=12),
            "patient": Parameter("patient", ParameterType.TEXT, None, sealed=True, line=13),
            "n": Parameter("n", ParameterType.INTEGER, "38", line=14),
            "visits": Parameter("visits", ParameterType.TABLE, "his.visit", line=15),
            "ward": Parameter("ward", ParameterType.COLUMN, "ward_code", table="visits", line=16),
            "lost": Parameter("lost", ParameterType.ROWS, None, sealed=True, line=17),
        },
        watches=(
            Watch(
                TableName("his", "visit"),
                Statement(
                    ("ward_code = ", Bound("from_ward"), " AND patient = ", Bound("patient"), "\n"),
                    20,
                ),
                Written(inserted=2, updated=38),
                ("ward_code", "updated_at"),
                rewrites=True,
                line=19,
            ),
            Watch(TableName("his", "bed"), Statement(("true",), 26), Written(deleted=1), line=26),
        ),
        side_effects=(SideEffect(TableName("his", "visit_audit"), 38, 28),),
        before=(
            Condition(
                "the new ward is open",
                Statement(
                    (
                        "SELECT count(*) FROM his.ward WHERE ",
                        Identifier("ward"),
                        " = ",
                        Bound("from_ward"),
                    ),
                    31,
                ),
                "1",
                30,
            ),
        ),
        after=(Condition("no note", Statement(("SELECT ''",), 33), "", 33),),
        limits=Limits(50, timedelta(seconds=3), timedelta(minutes=2)),
        undo=UndoRules(("updated_at",), timedelta(days=30)),
        show=("ward_code",),
        search_path=("his", "public"),
        temporary=("tmp_ids",),
        accepted=(Accepted("REP-LIT", "it is no patient", 39),),
        playbook="move-visits",
    )
    assert [each.rows for each in script_of(work)] == [None, "lost"]


def test_what_may_be_left_out() -> None:
    """The head, one watch and the most rows: everything else has its default."""
    assert parse_repair(work_of(SMALL)) == Repair(
        id="w-1",
        title="38 visits booked to the closed ward",
        author="zhang.wei@vendor",
        ticket="T-117",
        risk=Risk.LOW,
        database="his",
        opened=None,
        cause=None,
        watches=(
            Watch(
                TableName("his", "visit"),
                Statement(("id = 1",), 10),
                Written(deleted=1),
                line=9,
            ),
        ),
        limits=Limits(50, timedelta(seconds=5), timedelta(seconds=60)),
    )


def test_the_head_is_that_of_all_work() -> None:
    """What an approval repeats of the limits is what the repair obeys."""
    assert read_manifest(work_of(WHOLE)).limits == ("rows: 50", "lock_wait: 3s", "statement: 2m")
    assert refusal(work_of(SMALL.replace("risk: low", "risk: none"))).code == "manifest-value"
    assert refusal(work_of(SMALL.replace("id: w-1", "id: w-2"))).code == "manifest-id"
    assert refusal(work_of("a: &b 1\n")).code == "yaml-anchor"


def test_an_undo_names_what_it_takes_back() -> None:
    """The bundles say the rest, so there is neither script nor watch."""
    work = work_of(UNDO, None)
    repair = parse_repair(work)
    assert repair.undo_of == UndoOf("w-0", ("a" * 64, "b" * 64))
    assert (repair.watches, repair.parameters, script_of(work)) == ((), {}, ())
    assert (repair.limits.rows, repair.search_path) == (50, ())
    placed = parse_repair(work_of(f"{UNDO}search_path: [his, public]\n", None))
    assert placed.search_path == ("his", "public")


def test_a_batch_has_its_bounds_in_script_and_watch() -> None:
    """They are no parameters of the manifest."""
    where = "id BETWEEN :batch_first AND :batch_last"
    manifest = SMALL.replace("id = 1", where) + "batch: {table: his.visit, rows: 10}\n"
    repair = parse_repair(work_of(manifest, f"DELETE FROM his.visit WHERE {where};\n"))
    assert repair.batch == Batch(TableName("his", "visit"), 10)
    assert repair.parameters == {}


def test_two_watches_are_of_two_tables() -> None:
    """Two tables of one name in two schemas are two."""
    more = SMALL.replace(
        LIMITS, f'  - {{table: old.visit, where: "true", expect: {{delete: 0}}}}\n{LIMITS}'
    )
    assert [str(each.table) for each in parse_repair(work_of(more)).watches] == [
        "his.visit",
        "old.visit",
    ]


def test_other_work_is_no_repair() -> None:
    """A change has its own grammar."""
    work = replace(work_of(SMALL), kind=Kind.CHANGE, folder="changes/w-1")
    fault = refusal(work)
    assert (fault.code, fault.message) == ("repair-kind", "changes/w-1 is no repair")


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (work_of(SMALL, None), "there is no repairs/w-1/repair.sql"),
        (work_of(UNDO), "repairs/w-1/repair.sql stands beside undo_of"),
        (
            work_of(UNDO, None, payload=True),
            "there is repairs/w-1/payload.age, and no parameter is sealed",
        ),
        (
            work_of(SMALL, payload=True),
            "there is repairs/w-1/payload.age, and no parameter is sealed",
        ),
        (
            work_of(WHOLE, SCRIPT),
            "there is no repairs/w-1/payload.age, and a parameter is sealed",
        ),
    ],
)
def test_the_folder_holds_what_the_manifest_speaks_of(work: Work, message: str) -> None:
    """No script too few, no payload too many."""
    fault = refusal(work)
    assert (fault.code, fault.message) == ("repair-files", message)


@pytest.mark.parametrize(
    ("work", "code", "message", "hint"),
    [
        # keys
        (
            small(new="wach: []\n"),
            "unknown-key",
            "line 13: unknown key wach",
            'did you mean "watch"? allowed: dbops, id, title,',
        ),
        (
            small("expect:", "expected:"),
            "unknown-key",
            "line 11: unknown key watch[1].expected",
            'did you mean "expect"? allowed: table, where, expect, may_change, rewrites',
        ),
        (
            small("{delete: 1}", "{deleted: 1}"),
            "unknown-key",
            "line 11: unknown key watch[1].expect.deleted",
            'did you mean "delete"? allowed: insert, update, delete',
        ),
        (
            small("{rows: 50}", "{rows: 50, lockwait: 5s}"),
            "unknown-key",
            "line 12: unknown key limits.lockwait",
            'did you mean "lock_wait"? allowed: rows, lock_wait, statement',
        ),
        (
            whole("sealed: true}\n  n", "seald: true}\n  n"),
            "unknown-key",
            "line 13: unknown key params.patient.seald",
            'did you mean "sealed"? allowed: type, value, sealed, table',
        ),
        (
            small("    where: id = 1\n", ""),
            "missing-key",
            "line 9: watch[1].where is missing",
            "allowed: sql text",
        ),
        (
            small("    expect: {delete: 1}\n", ""),
            "missing-key",
            "line 9: watch[1].expect is missing",
            "allowed: a mapping of keys to values",
        ),
        (
            small(LIMITS, ""),
            "missing-key",
            "line 1: limits is missing",
            "allowed: a mapping of keys to values",
        ),
        (
            small("rows: 50", "lock_wait: 5s"),
            "missing-key",
            "line 12: limits.rows is missing",
            f"allowed: {ROWS_RULE}",
        ),
        (
            work_of(HEAD + LIMITS),
            "missing-key",
            "line 1: watch is missing",
            "declare the tables that are written, and how many rows of each",
        ),
        # forms and values
        (
            work_of(HEAD + LIMITS + "watch: {table: a}\n"),
            "form",
            "line 9: watch: not a list",
            "allowed: a list with something in it, or no such key at all",
        ),
        (
            work_of(HEAD + LIMITS + "watch: []\n"),
            "form",
            "line 9: watch: the list is empty",
            "allowed: a list with something in it, or no such key at all",
        ),
        (
            work_of(HEAD + LIMITS + "watch: [his.visit]\n"),
            "form",
            "line 9: watch is not a mapping",
            "allowed: a mapping of keys to values",
        ),
        (
            small("table: his.visit", "table: a.b.c"),
            "value",
            "line 9: watch[1].table is not allowed",
            "allowed: a table such as visit or his.visit, exactly as the catalogue spells it,"
            ' or :"name" of a table parameter',
        ),
        (
            small("where: id = 1", "where:"),
            "value",
            "line 10: watch[1].where is not allowed",
            "allowed: sql text",
        ),
        (
            small("where: id = 1", "where: [a]"),
            "value",
            "line 10: watch[1].where is not allowed",
            "allowed: sql text",
        ),
        (
            small("delete: 1", "delete: one"),
            "value",
            "line 11: watch[1].expect.delete is not allowed",
            f"allowed: {ROWS_RULE}, or :name of an integer parameter",
        ),
        (
            small("delete: 1", "delete: -1"),
            "value",
            "line 11: watch[1].expect.delete is not allowed",
            f"allowed: {ROWS_RULE}, or :name of an integer parameter",
        ),
        (
            small("rows: 50", "rows: 0"),
            "value",
            "line 12: limits.rows: not allowed",
            "allowed: at least 1",
        ),
        (
            small("rows: 50", "rows: 1000000001"),
            "value",
            "line 12: limits.rows is not allowed",
            f"allowed: {ROWS_RULE}",
        ),
        (
            small("rows: 50", "rows: 50, statement: 1 min"),
            "value",
            "line 12: limits.statement: not allowed",
            'allowed: a duration such as "90m", "26h", "7d" or "2w", more than nothing',
        ),
        (
            small(new="opened: 20.11.2026\n"),
            "value",
            "line 13: opened is not allowed",
            "allowed: a day such as 2026-11-20",
        ),
        (
            small(new="undo: {keep: long}\n"),
            "value",
            "line 13: undo.keep: not allowed",
            'allowed: a duration such as "90m", "26h", "7d" or "2w", more than nothing',
        ),
        (
            small(new="accepted: [{rule: all, why: because}]\n"),
            "value",
            "line 13: accepted[1].rule is not allowed",
            "allowed: a rule such as REP-LIT",
        ),
        (
            small("    where", "    rewrites: yes\n    where"),
            "value",
            "line 10: watch[1].rewrites is not allowed",
            "allowed: true or false",
        ),
        (
            small("[his]", "[his, lab]"),
            "databases",
            "line 7: databases: 2 databases",
            "a repair is of exactly one database",
        ),
        # undo
        (
            work_of(UNDO + "watch: []\n", None),
            "undo",
            "line 10: watch: cannot stand beside undo_of",
            "the bundles say what is written; allowed beside undo_of: opened, clocks, cause,"
            " limits, undo, show, accepted, search_path",
        ),
        (
            work_of(UNDO.replace("a" * 64, "A" * 64), None),
            "value",
            "line 9: undo_of.bundles is not allowed",
            "allowed: the sha256 of a bundle, 64 hexadecimal digits",
        ),
        (
            work_of(UNDO.replace("a" * 64, "b" * 64), None),
            "twice",
            "line 9: undo_of.bundles: a name stands there twice",
            "write each once",
        ),
        (
            work_of(f"{HEAD}{LIMITS}undo_of: {{work: w-0}}\n", None),
            "missing-key",
            "line 9: undo_of.bundles: missing",
            "allowed: the sha256 of a bundle, 64 hexadecimal digits",
        ),
        (
            work_of(UNDO.replace("w-0", "W 0"), None),
            "value",
            "line 9: undo_of.work is not allowed",
            "allowed: the id of a repair",
        ),
    ],
)
def test_what_a_manifest_may_not_say(work: Work, code: str, message: str, hint: str) -> None:
    """The error has file, line and key, and its hint says what is allowed there."""
    fault = refusal(work)
    assert (fault.code, fault.message) == (f"repair-{code}", f"repairs/w-1/repair.yml {message}")
    assert fault.hint.startswith(hint)
