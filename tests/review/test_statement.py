"""Statements: one way to write each, and no other is read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.crypto.sshsig import Namespace
from dbops.errors import Refused
from dbops.review.purpose import Purpose
from dbops.review.statement import (
    STATEMENT_MOST,
    Decision,
    Statement,
    encode_statement,
    parse_statement,
)
from dbops.review.work import Kind, Risk
from tests.fix_tools import require_tool

SIGNED = datetime(2026, 11, 23, 1, 12, tzinfo=UTC)
STATEMENT = Statement(
    decision=Decision.APPROVE,
    kind=Kind.REPAIR,
    id="2026-117-ward",
    signer="li.na@hospital",
    role="it-department",
    databases={"ris": "sqlite:0:ris", "lab": "postgresql:7444512345678901234:16401"},
    limits=("rows: 50", "lock_wait: 5s"),
    risk=Risk.HIGH,
    request="ab" * 32,
    not_before=SIGNED + timedelta(hours=11),
    not_after=SIGNED + timedelta(days=7),
    signed_at=SIGNED,
    nonce="0f" * 16,
    note="与病区核对过 checked",
    files={"repair.yml": "22" * 32, "repair.sql": "11" * 32},
)
TEXT = f"""\
dbops-approval/v1
decision: approve
kind: repair
id: 2026-117-ward
signer: li.na@hospital
role: it-department
risk: high
request: {"ab" * 32}
signed-at: 2026-11-23T01:12:00Z
not-before: 2026-11-23T12:12:00Z
not-after: 2026-11-30T01:12:00Z
nonce: {"0f" * 16}
note: 与病区核对过 checked
databases:
  lab  postgresql:7444512345678901234:16401
  ris  sqlite:0:ris
limits:
  rows: 50
  lock_wait: 5s
files:
{"11" * 32}  repair.sql
{"22" * 32}  repair.yml
"""
CHANGE = replace(STATEMENT, kind=Kind.CHANGE, purpose=Purpose.TAKE_BACK)
REQUEST = replace(STATEMENT, decision=Decision.REQUEST, request=None, role=None, note=None)


def test_a_change_says_which_way_it_goes() -> None:
    """In words, below its id; other work has one way and says none."""
    text = encode_statement(CHANGE).decode()
    way = "purpose: take the change back (down.sql)\n"
    assert text == TEXT.replace("kind: repair", "kind: change").replace(
        "id: 2026-117-ward\n", f"id: 2026-117-ward\n{way}"
    )
    assert parse_statement(text.encode()) == CHANGE
    unsaid = text.replace(way, "")
    assert parse_statement(unsaid.encode()) == replace(CHANGE, purpose=None)
    assert refusal(text.replace("kind: change", "kind: repair")).code == "statement-purpose"
    other = refusal(text.replace("take the change back (down.sql)", "take the change back"))
    assert (other.code, other.message) == (
        "statement-value",
        "purpose is none that the statement can have",
    )


def refusal(text: str) -> Refused:
    """How the text is refused."""
    with pytest.raises(Refused) as caught:
        parse_statement(text.encode())
    return caught.value


def test_a_statement_is_written_in_one_way() -> None:
    """The text is the documented one to the byte, and reads back as what was meant."""
    assert encode_statement(STATEMENT).decode() == TEXT
    assert parse_statement(TEXT.encode()) == STATEMENT


@pytest.mark.parametrize(
    ("decision", "namespace", "heading"),
    [
        (Decision.REQUEST, Namespace.REQUEST, "dbops-request/v1"),
        (Decision.APPROVE, Namespace.APPROVAL, "dbops-approval/v1"),
        (Decision.REJECT, Namespace.APPROVAL, "dbops-approval/v1"),
        (Decision.BREAK_GLASS, Namespace.BREAKGLASS, "dbops-breakglass/v1"),
    ],
)
def test_each_decision_has_its_namespace(
    decision: Decision, namespace: Namespace, heading: str
) -> None:
    """A signature of one decision is void for another, and the first line says which it is."""
    statement = replace(REQUEST if decision is Decision.REQUEST else STATEMENT, decision=decision)
    assert decision.namespace is namespace
    data = encode_statement(statement)
    assert data.startswith(f"{heading}\n".encode())
    assert parse_statement(data) == statement


def test_the_list_of_files_is_for_sha256sum(tmp_path: Path) -> None:
    """Whoever reads the statement checks the files with coreutils."""
    require_tool("sha256sum", "coreutils")
    (tmp_path / "a.sql").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    text = encode_statement(replace(STATEMENT, files={"a.sql": empty})).decode()
    listed = text.partition("files:\n")[2]
    done = subprocess.run(
        ["sha256sum", "-c"], input=listed, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "a.sql: OK\n"


def test_times_are_in_utc_to_the_second() -> None:
    """A time with a fraction would not read back, so it is not written."""
    with pytest.raises(Refused) as caught:
        encode_statement(replace(STATEMENT, signed_at=SIGNED + timedelta(microseconds=1)))
    assert caught.value.code == "statement-form"


def edited(old: str, new: str) -> str:
    """The text with one replacement."""
    assert old in TEXT
    return TEXT.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "statement-version"),
        (edited("approval/v1", "approval/v2"), "statement-version"),
        (edited("dbops-approval/v1", "dbops-request/v1"), "statement-decision"),
        (edited("decision: approve", "decision: agree"), "statement-value"),
        (edited("kind: repair", "kind: mend"), "statement-value"),
        (edited("id: 2026", "id: ../2026"), "statement-value"),
        (edited("signer: li.na@hospital", "signer: *"), "statement-value"),
        (edited("role: it-department", "role: IT"), "statement-value"),
        (edited("risk: high", "risk: none"), "statement-value"),
        (edited("abab", "ABAB"), "statement-value"),
        (edited("0f0f", "0f"), "statement-value"),
        (edited("01:12:00Z", "01:12:00+00:00"), "statement-time"),
        (edited("2026-11-30T01:12:00Z", "2026-11-31T01:12:00Z"), "statement-time"),
        (edited("2026-11-30T01:12:00Z", "2026-11-23T12:12:00Z"), "statement-time"),
        (edited("2026-11-30T", "9999-11-30T"), "statement-time"),
        (edited("risk: high\n", "risk: high\nrisk: low\n"), "statement-duplicate"),
        (edited("risk: high\n", ""), "statement-missing"),
        (edited("role: it-department\n", ""), "statement-missing"),
        (edited(f"request: {'ab' * 32}\n", ""), "statement-request"),
        (edited("kind: repair\n", "kind: repair\ncolour: red\n"), "statement-header"),
        (edited("kind: repair\n", "kind: repair\n\n"), "statement-header"),
        (edited("kind: repair", "kind:repair"), "statement-header"),
        (edited("kind: repair", "kind:  repair"), "statement-value"),
        (
            edited("kind: repair\nid: 2026-117-ward\n", "id: 2026-117-ward\nkind: repair\n"),
            "statement-order",
        ),
        (edited("limits:\n  rows: 50\n  lock_wait: 5s\n", ""), "statement-missing"),
        (edited("files:\n", ""), "statement-missing"),
        (edited("  rows", "rows"), "statement-list"),
        (edited("  rows", "   rows"), "statement-list"),
        (edited("lock_wait: 5s", "rows: 51"), "statement-duplicate"),
        (edited("  ris  sqlite", "  lab  sqlite"), "statement-duplicate"),
        (edited("  ris  sqlite", "  ris sqlite"), "statement-list"),
        (edited("  repair.yml", "  repair.sql"), "statement-duplicate"),
        (edited("  repair.yml", " *repair.yml"), "statement-list"),
        (edited("  repair.yml", "  ../repair.yml"), "statement-list"),
        (f"{TEXT}\n", "statement-list"),
        (TEXT.partition("files:\n")[0] + "files:\n", "statement-list"),
        (
            edited(
                "  lab  postgresql:7444512345678901234:16401\n  ris  sqlite:0:ris\n",
                "  ris  sqlite:0:ris\n  lab  postgresql:7444512345678901234:16401\n",
            ),
            "statement-form",
        ),
        (TEXT.replace("\n", "\r\n"), "text-hidden"),
        (edited("核对", "\u202e核对"), "text-hidden"),
        (TEXT.removesuffix("\n"), "text-end"),
        (TEXT + ("0" * 64 + "  a\n") * (STATEMENT_MOST // 60), "statement-long"),
    ],
)
def test_other_texts_are_refused(text: str, code: str) -> None:
    """Whatever is not exactly what is written is refused by its own code."""
    assert refusal(text).code == code


@pytest.mark.parametrize("decision", [Decision.REJECT, Decision.BREAK_GLASS])
def test_some_decisions_say_why(decision: Decision) -> None:
    """Who rejects, or breaks the glass, gives a reason."""
    with pytest.raises(Refused) as caught:
        encode_statement(replace(STATEMENT, decision=decision, note=None))
    assert caught.value.code == "statement-note"
    assert caught.value.message == f"a statement that decides {decision} lacks its reason (note)"


@pytest.mark.parametrize(
    "change",
    [
        lambda s: replace(s, note="two\nlines"),
        lambda s: replace(s, note="\ud800"),
        lambda s: replace(s, note=" padded"),
        lambda s: replace(s, note=""),
        lambda s: replace(s, limits=("rows: 50\nfiles:",)),
        lambda s: replace(s, databases={"lab": "x\ny"}),
        lambda s: replace(s, files={"a\nb": "00" * 32}),
        lambda s: replace(s, files={}),
        lambda s: replace(s, request=None),
        lambda s: replace(s, id="A B"),
        lambda s: replace(s, nonce="0" * 31),
    ],
)
def test_nothing_is_written_that_would_not_read_back(
    change: Callable[[Statement], Statement],
) -> None:
    """A value with a newline cannot become a header of its own."""
    with pytest.raises(Refused):
        encode_statement(change(STATEMENT))


@given(note=st.text(max_size=60), limit=st.text(max_size=30), identity=st.text(max_size=30))
def test_what_is_written_reads_back(note: str, limit: str, identity: str) -> None:
    """Any text is either refused or comes back exactly."""
    statement = replace(STATEMENT, note=note, limits=(limit,), databases={"lab": identity})
    try:
        data = encode_statement(statement)
    except Refused:
        return
    assert parse_statement(data) == statement


@given(st.data())
def test_a_changed_byte_is_another_statement_or_none(data: st.DataObject) -> None:
    """No two texts mean the same."""
    at = data.draw(st.integers(0, len(TEXT.encode()) - 1))
    other = data.draw(st.integers(0, 255))
    changed = TEXT.encode()[:at] + bytes([other]) + TEXT.encode()[at + 1 :]
    try:
        found = parse_statement(changed)
    except Refused:
        return
    assert (found == STATEMENT) == (changed == TEXT.encode())
