"""Evidence of a repair: one text for one finding, read back as it was, without any value."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.errors import Refused
from dbops.repair.evidence import (
    RepairEvidence,
    TableEvidence,
    TransactionEvidence,
    UndoEvidence,
    evidence_text,
    parse_evidence,
    read_evidence,
)
from dbops.repair.judgement import Approved
from dbops.repair.ports import Strength
from dbops.repair.table import TableName
from dbops.review.work import Kind, Work
from dbops.sql.written import Written

VISIT = TableName("his", "visit")
FOUND = RepairEvidence(
    id="2026-117-visit-ward",
    at=datetime(2026, 11, 23, 2, 10, tzinfo=UTC),
    host="verifier-1",
    database="his",
    backup="his@12",
    taken=datetime(2026, 11, 22, 18, 0, tzinfo=UTC),
    proof="proven",
    server="PostgreSQL 15.18",
    strength=Strength.EXACT,
    counted_by="pg_stat_xact_all_tables",
    tables={VISIT: TableEvidence(Written(0, 38, 0), {"ward_code": 38, "病区": 2}, "a" * 64)},
    side_effects={TableName("his", "visit audit"): 38},
    sequences=("his.visit_audit_id_seq",),
    transactions=(TransactionEvidence("b" * 64, {VISIT: Written(0, 38, 0)}),),
    undo=UndoEvidence(38, "undo-already"),
    took=812,
    files={"repair.sql": "c" * 64, "rows.age": "d" * 64},
)
TEXT = """\
dbops: evidence/v1
id: "2026-117-visit-ward"
at: 2026-11-23T02:10:00Z
host: "verifier-1"
database: "his"
backup: "his@12"
taken: 2026-11-22T18:00:00Z
proof: "proven"
server: "PostgreSQL 15.18"
strength: exact
counted_by: "pg_stat_xact_all_tables"
tables:
  "his.visit":
    ops: {inserted: 0, updated: 38, deleted: 0}
    columns: {"ward_code": 38, "病区": 2}
    schema: %(a)s
side_effects:
  "his.visit audit": 38
sequences: ["his.visit_audit_id_seq"]
transactions:
  - difference: %(b)s
    tables: {"his.visit": {inserted: 0, updated: 38, deleted: 0}}
undo: {restored: 38, again: "undo-already"}
took: 812
files:
  "repair.sql": %(c)s
  "rows.age": %(d)s
""" % {letter: letter * 64 for letter in "abcd"}

_names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=20)
_tables = st.builds(TableName, st.just("") | _names, _names).filter(lambda t: "." not in str(t)[1:])
_ops = st.builds(Written, *[st.integers(0, 10**12)] * 3)


def test_the_text_of_evidence() -> None:
    """What stands in the file is this, to the letter."""
    assert evidence_text(FOUND).decode() == TEXT


def test_a_folder_without_evidence_has_none() -> None:
    """No file, no evidence; with the file it is what the file says."""
    work = Work(Kind.REPAIR, FOUND.id, f"repairs/{FOUND.id}", {})
    assert read_evidence(work) is None
    assert read_evidence(replace(work, files={"evidence.yml": TEXT.encode()})) == FOUND


@given(
    tables=st.dictionaries(_tables, _ops, max_size=3),
    columns=st.dictionaries(_names, st.integers(0, 10**6), max_size=3),
    effects=st.dictionaries(_tables, st.integers(0, 10**6), max_size=2),
    sequences=st.lists(_names, max_size=2),
)
def test_evidence_reads_back_or_is_refused(
    tables: dict[TableName, Written],
    columns: dict[str, int],
    effects: dict[TableName, int],
    sequences: list[str],
) -> None:
    """Whatever tables and columns are called, nothing is written that says something else."""
    found = replace(
        FOUND,
        tables={table: TableEvidence(ops, columns, "0" * 64) for table, ops in tables.items()},
        side_effects=effects,
        sequences=tuple(sequences),
        transactions=(TransactionEvidence("1" * 64, tables),) * 2,
    )
    try:
        text = evidence_text(found)
    except Refused:
        return
    assert parse_evidence(text, "evidence.yml") == found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("took: 812", "took: -1", "line 24: took is not allowed"),
        ("took: 812", "took: 812\nvalues: none", "line 25: unknown key values"),
        ("strength: exact", "strength: sure", "line 10: strength is not allowed"),
        ("taken: 2026-11-22T18:00:00Z", "taken: 2026-11-22", "line 7: taken is not allowed"),
        ("restored: 38, ", "", "line 23: restored is missing"),
        ("restored: 38", "restored: 38, more: 1", "line 23: unknown key more"),
        ('"his.visit":\n', '"his.visit.id":\n', "line 13: not the name of a table"),
        ("schema: a", "schema: A", "line 16: schema is not allowed"),
        ("dbops: evidence/v1", "dbops: evidence/v2", "line 1: dbops is not allowed"),
        (
            "columns: {",
            "columns: {x: y, ",
            "line 15: x is not allowed",
        ),
        ("sequences: [", "sequences: [{}, ", "line 19: sequences is not allowed"),
    ],
)
def test_other_evidence_is_refused(old: str, new: str, message: str) -> None:
    """Each mistake is said with its line, and no value is repeated."""
    assert old in TEXT
    with pytest.raises(Refused) as caught:
        parse_evidence(TEXT.replace(old, new, 1).encode(), "evidence.yml")
    assert (caught.value.code, caught.value.message) == ("evidence-form", f"evidence.yml {message}")


def test_what_a_run_must_come_to_again() -> None:
    """Each transaction's digest under the key of the sealed rows, and its counts."""
    assert FOUND.approved("e" * 64) == (Approved("e" * 64, "b" * 64, {VISIT: Written(0, 38, 0)}),)
    assert FOUND.rows == 38
