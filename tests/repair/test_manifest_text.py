"""`repair.yml`: what it may say, and the line of whatever it may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest

from dbops.errors import Refused
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
from dbops.repair.script import Bound, Identifier, Statement
from dbops.repair.table import Ops, TableName
from dbops.review.work import Kind, Risk, Work, read_manifest

HEAD = """\
dbops: repair/v1
id: w-1
title: 38 visits booked to the closed ward
author: zhang.wei@vendor
ticket: T-117
risk: low
databases: [his]
"""
LIMITS = "limits: {rows: 50}\n"
WHOLE = f"""\
{HEAD}opened: 2026-11-20
clocks: [data-error, contract]
cause: {{found: "the interface kept the old map", fix: T-120}}
params:
  from_ward: {{type: text, value: OLD}}
  patient: {{type: text, sealed: true}}
  n: {{type: integer, value: 38}}
  visits: {{type: table, value: his.visit}}
  ward: {{type: column, table: visits, value: ward_code}}
  lost: {{type: rows, sealed: true}}
watch:
  - table: :"visits"
    where: >
      ward_code = :from_ward
      AND patient = :patient
    expect: {{update: ":n", insert: 2}}
    may_change: [':"ward"', updated_at]
    rewrites: true
  - {{table: his.bed, where: "true", expect: {{delete: 1}}}}
side_effects:
  - {{table: his.visit_audit, insert: ":n"}}
before:
  - check: the new ward is open
    sql: SELECT count(*) FROM his.ward WHERE :"ward" = :from_ward
    equals: 1
after: [{{check: no note, sql: "SELECT ''", equals: ""}}]
limits: {{rows: 50, lock_wait: 3s, statement: 2m}}
undo: {{keep: 30d, volatile: [updated_at]}}
show: [ward_code]
search_path: [his, public]
temporary: [tmp_ids]
accepted: [{{rule: REP-LIT, why: it is no patient}}]
playbook: move-visits
"""
SCRIPT = """\
UPDATE his.visit SET ward_code = 'ORT' WHERE ward_code = :from_ward;
INSERT INTO his.visit (id) VALUES (:lost.id);
"""
SMALL = f"""\
{HEAD}watch:
  - table: his.visit
    where: id = 1
    expect: {{delete: 1}}
{LIMITS}"""
UNDO = f"{HEAD}{LIMITS}undo_of: {{work: w-0, bundles: [{'a' * 64}, {'b' * 64}]}}\n"
SMALL_SCRIPT = "DELETE FROM his.visit WHERE id = 1;\n"


def work_of(manifest: str, script: str | None = SMALL_SCRIPT, *, payload: bool = False) -> Work:
    """The folder of a repair."""
    files: Mapping[str, bytes | None] = {
        "repair.yml": manifest.encode(),
        "repair.sql": None if script is None else script.encode(),
        "payload.age": b"age" if payload else None,
    }
    return Work(
        Kind.REPAIR,
        "w-1",
        "repairs/w-1",
        {name: data for name, data in files.items() if data is not None},
    )


def refusal(work: Work) -> Refused:
    """How the folder is refused."""
    with pytest.raises(Refused) as caught:
        parse_repair(work)
    return caught.value


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
                Ops(inserted=2, updated=38),
                ("ward_code", "updated_at"),
                rewrites=True,
                line=19,
            ),
            Watch(TableName("his", "bed"), Statement(("true",), 26), Ops(deleted=1), line=26),
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
                Ops(deleted=1),
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
    assert repair.limits.rows == 50


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


def small(old: str = "", new: str = "") -> Work:
    """The small repair with a change in its manifest."""
    assert old in SMALL
    return work_of(SMALL.replace(old, new) if old else SMALL + new)


def whole(old: str, new: str) -> Work:
    """The whole repair with a change in its manifest."""
    assert WHOLE.count(old) == 1
    return work_of(WHOLE.replace(old, new), SCRIPT, payload=True)


def script(text: str) -> Work:
    """The whole repair with other statements."""
    return work_of(WHOLE, text, payload=True)


PARAMS = "params:\n  a: "
ROWS_RULE = "a whole number up to 1000000000"


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
            "line 9: watch: not a list",
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
        # one thing in two places
        (
            small(new="show: [a, b, a]\n"),
            "twice",
            "line 13: show: a name stands there twice",
            "write each once",
        ),
        (
            small(new="accepted: [{rule: REP-LIT, why: a}, {rule: REP-LIT, why: b}]\n"),
            "twice",
            "line 13: accepted[2].rule: REP-LIT is accepted twice",
            "write each once",
        ),
        (
            small(LIMITS, f'  - {{table: his.visit, where: "1", expect: {{}}}}\n{LIMITS}'),
            "twice",
            "line 12: his.visit stands there twice",
            "put what is written there into one watch; side effects are other tables",
        ),
        (
            small(new="side_effects: [{table: his.visit, insert: 1}]\n"),
            "twice",
            "line 13: his.visit stands there twice",
            "put what is written there into one watch; side effects are other tables",
        ),
        (
            small(new="side_effects: [{table: visit, insert: 1}]\n"),
            "twice",
            "line 13: visit and his.visit may be one table",
            "name both with their schema",
        ),
        (
            whole("updated_at]\n    rewrites", "ward_code]\n    rewrites"),
            "twice",
            "line 24: watch[1].may_change: a column stands there twice",
            "write each once",
        ),
        # counts and columns
        (
            small("delete: 1", "update: 1"),
            "change",
            "line 9: his.visit: an update is expected, and may_change names no column",
            "name the columns that it changes",
        ),
        (
            small("    expect", "    may_change: [a]\n    expect"),
            "change",
            "line 9: his.visit: may_change stands there, and no update is expected",
            "only an update changes columns: remove it, or write expect: {update: N}",
        ),
        (
            small("delete: 1", "delete: 51"),
            "limit",
            "line 12: limits.rows: 51 rows are expected, and 50 allowed",
            "limits.rows is the most that may be written in all",
        ),
        # batches
        (
            small(new="batch: {table: his.bed, rows: 10}\n"),
            "batch",
            "line 13: batch: his.bed is not watched",
            "name a table of watch",
        ),
        (
            small(new="batch: {table: his.visit, rows: 10}\n"),
            "batch",
            "line 9: his.visit: where does not use the bounds of the batch",
            "write for example: id BETWEEN :batch_first AND :batch_last",
        ),
        (
            small(
                f"id = 1\n    expect: {{delete: 1}}\n{LIMITS}",
                f"id = :batch_first + :batch_last\n    expect: {{delete: 1}}\n{LIMITS}"
                "batch: {table: his.visit, rows: 10}\n",
            ),
            "batch",
            "line 13: batch: no statement of the script uses the bounds of the batch",
            "write for example: id BETWEEN :batch_first AND :batch_last",
        ),
        (
            small("id = 1", "id > :batch_first"),
            "placeholder",
            "line 10: batch_first is used where there is no batch",
            "the bounds of a batch stand in the script and in where, with batch declared",
        ),
        # parameters
        (
            small(new=f"{PARAMS}{{type: text, value: x}}\n"),
            "unused",
            "line 14: the parameter a is never used",
            "remove it, or write its placeholder; one inside a text or a comment is text",
        ),
        (
            whole("patient = :patient", "patient = ':patient'"),
            "unused",
            "line 13: the parameter patient is never used",
            "remove it, or write its placeholder; one inside a text or a comment is text",
        ),
        (
            whole("AND patient = :patient", "AND patient = :patien"),
            "undeclared",
            "line 20: no parameter patien is declared",
            'did you mean "patient"? declared under params: from_ward, patient, n, visits, ward,',
        ),
        (
            small("table: his.visit", 'table: :"visits"'),
            "undeclared",
            "line 9: no parameter visits is declared",
            "declared under params: none",
        ),
        (
            whole("table: visits,", "table: beds,"),
            "undeclared",
            "line 16: no parameter beds is declared",
            "declared under params: from_ward, patient, n, visits, ward, lost",
        ),
        (
            whole("table: visits,", "table: n,"),
            "placeholder",
            "line 16: the parameter n is no table",
            "a column's table is the name of a parameter of type table",
        ),
        (
            whole('table: :"visits"', 'table: :"ward"'),
            "placeholder",
            "line 19: the parameter ward is no table",
            "name a parameter of type table",
        ),
        (
            whole('where: "true"', "where: ':\"true\"'"),
            "undeclared",
            "line 26: no parameter true is declared",
            "declared under params: from_ward, patient, n, visits, ward, lost",
        ),
        (
            whole("expect: {delete: 1}", "expect: {update: 1}, may_change: [':\"ward\"']"),
            "placeholder",
            "line 26: watch[2].may_change: the parameter ward is a column of another table",
            "name a column of his.bed",
        ),
        (
            whole('update: ":n", insert: 2', 'update: ":patient", insert: 2'),
            "placeholder",
            "line 23: watch[1].expect.update: the parameter patient is no integer that can be"
            " read here",
            "reviewers read the number: declare type integer and a value, not sealed",
        ),
        (
            whole("n: {type: integer, value: 38}", "n: {type: integer, sealed: true}"),
            "placeholder",
            "line 23: watch[1].expect.update: the parameter n is no integer that can be read here",
            "reviewers read the number: declare type integer and a value, not sealed",
        ),
        (
            whole("value: 38", "value: -38"),
            "param",
            "line 23: watch[1].expect.update: the value of the parameter n is no number of rows",
            f"allowed: {ROWS_RULE}",
        ),
        (
            whole("value: 38", "value: 38.0"),
            "param",
            "line 14: the parameter n has no integer",
            "allowed: a whole number of 64 bits, such as 38 or -7",
        ),
        (
            whole("{type: text, value: OLD}", "{type: text}"),
            "param",
            "line 12: the parameter from_ward has no value",
            "allowed: a text without the character NUL",
        ),
        (
            whole("value: OLD", "value: null"),
            "param",
            "line 12: the parameter from_ward has no text",
            "allowed: a text without the character NUL; put a text in quotes",
        ),
        (
            whole("value: OLD", "value:"),
            "param",
            "line 12: the parameter from_ward has no text",
            "allowed: a text without the character NUL; put a text in quotes",
        ),
        (
            whole("value: OLD", "value: OLD, sealed: true"),
            "param",
            "line 12: the parameter from_ward is sealed",
            "its value stands in the payload only",
        ),
        (
            whole("lost: {type: rows, sealed: true}", "lost: {type: rows, value: 1}"),
            "param",
            "line 17: the parameter lost is a set of rows",
            "write sealed: true",
        ),
        (
            whole("{type: table, value: his.visit}", "{type: table, sealed: true}"),
            "param",
            "line 15: the parameter visits names what is written",
            "reviewers read it: write a value",
        ),
        (
            whole("value: OLD", "value: OLD, table: visits"),
            "param",
            "line 12: the parameter from_ward is no column",
            "only a column has a table",
        ),
        (
            whole("{type: column, table: visits,", "{type: column,"),
            "missing-key",
            "line 16: params.ward.table is missing",
            "allowed: the name of a table parameter",
        ),
        (
            whole("{type: text, value: OLD}", "{type: string, value: OLD}"),
            "value",
            "line 12: params.from_ward.type is not allowed",
            "allowed: text, integer, numeric, boolean, date, timestamp, instant, table, column,"
            " rows",
        ),
        (
            whole("  n: {", "  N: {"),
            "name",
            "line 14: that name cannot be a parameter's",
            "allowed: 1 to 63 lower-case letters, digits and underscores, a letter first;"
            " batch_first and batch_last are the bounds of a batch",
        ),
        (
            whole("  n: {", "  batch_last: {"),
            "name",
            "line 14: that name cannot be a parameter's",
            "allowed: 1 to 63 lower-case letters, digits and underscores, a letter first;"
            " batch_first and batch_last are the bounds of a batch",
        ),
        # undo
        (
            work_of(UNDO + "watch: []\n", None),
            "undo",
            "line 10: watch: cannot stand beside undo_of",
            "the bundles say what is written; allowed beside undo_of: opened, clocks, cause,"
            " limits, undo, show, accepted",
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


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        (
            "SELECT 1;\nSELECT :wards;\n",
            "undeclared",
            "line 2: no parameter wards is declared",
            'did you mean "ward"? declared under params: from_ward,',
        ),
        (
            "SELECT :visits;\n",
            "placeholder",
            "line 1: the parameter visits is no value",
            'it is of type table: write :"visits"',
        ),
        (
            'SELECT :"n";\n',
            "placeholder",
            "line 1: the parameter n is no table or column",
            "it is of type integer: write :n",
        ),
        (
            "SELECT :n.id;\n",
            "placeholder",
            "line 1: the parameter n is no set of rows",
            "it is of type integer: write :n",
        ),
        (
            "SELECT :lost;\n",
            "placeholder",
            "line 1: the parameter lost is no value",
            "it is of type rows: write :lost.column",
        ),
    ],
)
def test_what_a_script_may_not_use(text: str, code: str, message: str, hint: str) -> None:
    """Placeholders are of declared parameters, and say what kind those are."""
    fault = refusal(script(text))
    assert (fault.code, fault.message) == (f"repair-{code}", f"repairs/w-1/repair.sql {message}")
    assert fault.hint.startswith(hint)


def test_rows_are_for_the_script_only() -> None:
    """A watch or a condition is asked once."""
    fault = refusal(whole("patient = :patient", "patient = :patient AND id = :lost.id"))
    assert (fault.code, fault.message) == (
        "repair-placeholder",
        "repairs/w-1/repair.yml line 20: the rows of lost are used outside of the script",
    )


def test_sql_of_the_manifest_keeps_its_place() -> None:
    """A predicate cannot close the parentheses that it is put in."""
    fault = refusal(small("id = 1", "id = 1) OR (true"))
    assert (fault.code, fault.message) == (
        "script-parentheses",
        "repairs/w-1/repair.yml line 10: parentheses do not match",
    )


def test_no_error_shows_a_value() -> None:
    """Values of parameters may be a patient's: errors name keys."""
    secret = "王小明"
    for work in (
        whole("value: 38", f"value: {secret}"),
        whole("value: his.visit", f"value: {secret}.{secret}.{secret}"),
        small("delete: 1", f"delete: {secret}"),
        whole("value: OLD", f"value: {secret}, sealed: true"),
    ):
        fault = refusal(work)
        assert secret not in f"{fault.message} {fault.hint}"


def test_every_error_has_a_line() -> None:
    """Whatever single line is left out, the manifest is whole or says where it is not."""
    lines = WHOLE.splitlines(keepends=True)
    for number in range(len(lines)):
        work = work_of("".join(lines[:number] + lines[number + 1 :]), SCRIPT, payload=True)
        try:
            parse_repair(work)
        except Refused as fault:
            placed = fault.message.startswith(("repairs/w-1/repair.yml", "repairs/w-1/repair.sql"))
            assert placed, fault.message  # noqa: PT017 - the other outcome is fine too
            assert fault.hint  # noqa: PT017
