"""Entries: what gets into a line, and what a line reads back as."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.audit.entry import (
    NOTHING_BEFORE,
    Actor,
    Count,
    DigestOf,
    Draft,
    Effect,
    Entry,
    Event,
    Label,
    Phase,
    Result,
    check_reason,
    decode,
    encode,
)
from dbops.errors import UsageFault

ACTOR = Actor("dbops", 998, "zhang", 1001, "zhang", 4711, 123456)
ENTRY = Entry(
    sequence=7,
    previous=NOTHING_BEFORE,
    at=datetime(2026, 11, 22, 18, 1, 2, tzinfo=UTC),
    offset=480,
    host="backup-1",
    boot="b" * 36,
    actor=ACTOR,
    tool="dbops 0.2.0",
    draft=Draft(
        event=Event.BACKUP_RUN,
        phase=Phase.OUTCOME,
        of=6,
        target="lab",
        names={Label.BACKUP: "lab@12", Label.PATH: "/srv/备份/lab.db"},
        counts={Count.ROWS: 12},
        digests={DigestOf.MANIFEST: "a" * 64},
        approvals=("c" * 64,),
        result=Result.DONE,
        effect=Effect.COMMITTED,
    ),
)


def test_an_entry_reads_back_as_written() -> None:
    """`decode` of `encode` is the entry."""
    assert decode(encode(ENTRY)) == ENTRY


def test_the_chain_stands_first() -> None:
    """The keys that a fast reader needs have their fixed places."""
    line = encode(ENTRY)
    assert line.startswith(
        b'{"v":1,"seq":7,"prev":"%b","at":"2026-11-22T18:01:02Z",' % NOTHING_BEFORE.encode()
        + b'"event":"backup.run","phase":"outcome","of":6,"target":"lab",'
    )
    assert b"\n" not in line
    assert b" " not in line.replace(b"dbops 0.2.0", b"")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        encode(ENTRY) + b" ",
        encode(ENTRY).replace(b'"seq":7', b'"seq": 7'),
        encode(ENTRY).replace(b'"seq":7', b'"seq":7.0'),
        encode(ENTRY).replace(b'"seq":7', b'"seq":-7'),
        encode(ENTRY).replace(b'"backup.run"', b'"backup.steal"'),
        encode(ENTRY).replace(b'"rows":12', b'"patients":12'),
        encode(ENTRY).replace(b'"rows":12', b'"rows":"12"'),
        encode(ENTRY).replace(b'"tool"', b'"note":"x","tool"'),
        encode(ENTRY).replace(b'"uid":998', b'"uid":998,"shell":"x"'),
    ],
)
def test_a_line_in_another_form_is_no_entry(line: bytes) -> None:
    """Whatever `encode` would not write is refused, unknown keys and labels among it."""
    with pytest.raises(ValueError):
        decode(line)


@given(st.text(max_size=400))
def test_a_name_is_one_line_or_refused(text: str) -> None:
    """No text can break a line, hide a character, or end a JSON string early."""
    try:
        draft = Draft(event=Event.BACKUP_RUN, target=text)
    except ValueError:
        return
    line = encode(replace(ENTRY, draft=draft))
    assert b"\n" not in line
    assert json.loads(line)["target"] == text
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("", "ledger-reason"),
        ("   ", "ledger-reason"),
        ("two\nlines", "ledger-reason"),
        ("x" * 301, "ledger-reason"),
        ("patient 110101199001011234 called", "ledger-reason-number"),
        ("电话 13800138000", "ledger-reason-number"),
    ],
)
def test_a_reason_that_cannot_stand_is_refused(reason: str, code: str) -> None:
    """Free text is one line, and holds no number that could be a person's."""
    with pytest.raises(UsageFault) as refused:
        check_reason(reason)
    assert refused.value.code == code


def test_a_reason_may_name_a_ticket() -> None:
    """Ordinary words, dates and ticket numbers pass."""
    assert (
        check_reason("断电后重做，见 HBYS-4812, 20261122") == "断电后重做，见 HBYS-4812, 20261122"
    )


def test_an_outcome_answers_an_intent() -> None:
    """An outcome without its intent, and an intent that answers one, cannot be made."""
    with pytest.raises(ValueError):
        Draft(event=Event.BACKUP_RUN, phase=Phase.OUTCOME)
    with pytest.raises(ValueError):
        Draft(event=Event.BACKUP_RUN, phase=Phase.RECORD, of=1)
