"""What the parts of a repair say of each other: tables, counts, parameters and the script."""

from __future__ import annotations

import pytest

from dbops.errors import Refused
from dbops.repair.manifest_text import parse_repair
from dbops.review.work import Work
from tests.repair.manifests import (
    LIMITS,
    PARAMS,
    ROWS_RULE,
    SCRIPT,
    WHOLE,
    refusal,
    script,
    small,
    whole,
    work_of,
)


@pytest.mark.parametrize(
    ("work", "code", "message", "hint"),
    [
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
    ],
)
def test_what_the_parts_may_not_say_of_each_other(
    work: Work, code: str, message: str, hint: str
) -> None:
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
