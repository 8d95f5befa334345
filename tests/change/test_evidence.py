"""Evidence of a change: one text for one finding, read back as it was."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.change.diff import Verb
from dbops.change.evidence import (
    ChangeEvidence,
    DownEvidence,
    HeldEvidence,
    RowCounts,
    StepEvidence,
    evidence_text,
    parse_evidence,
    read_evidence,
)
from dbops.change.manifest import DataLoss
from dbops.change.ports import Lock
from dbops.change.schema import ObjectKind
from dbops.change.step import Direction
from dbops.change.touch import Touch
from dbops.errors import Refused
from dbops.sql.written import Written
from tests.change.manifests import HEAD, work_of

FOUND = ChangeEvidence(
    id="c-1",
    at=datetime(2026, 11, 23, 2, 10, tzinfo=UTC),
    host="verifier-1",
    database="his",
    backup="his@12",
    taken=datetime(2026, 11, 22, 18, 0, tzinfo=UTC),
    proof="proven",
    server="PostgreSQL 15.18",
    source="a" * 64,
    touched=(Touch(Verb.ALTER, ObjectKind.COLUMN, "his.visit.ward_code", ("default", "type")),),
    unseen=(Touch(Verb.CREATE, ObjectKind.INDEX, 'his."a b"'),),
    steps=(
        StepEvidence(
            Direction.UP,
            1,
            "加长",
            12,
            (Lock("his.visit", "ACCESS EXCLUSIVE", "reads"), Lock("his.ward", "SHARE", "")),
            ("his.visit",),
        ),
        StepEvidence(Direction.DOWN, 1, "step 1", 3),
    ),
    held=(HeldEvidence(Direction.UP, 1, 2, 15), HeldEvidence(Direction.DOWN, 1, 1, 4)),
    rows={"his.visit": RowCounts(120, 120, 120), "his.ward": RowCounts(None, 0, None)},
    sizes={"his.visit": 81920},
    written={Direction.UP: {"his.visit": Written(0, 20000, 1)}, Direction.DOWN: {}},
    down=DownEvidence(False, ("his.visit.ward_code",), DataLoss.RECOVERABLE),
    lint={"errors": 0, "warnings": 2},
    files={"up.sql": "c" * 64},
)
TEXT = """\
dbops: evidence/v3
id: "c-1"
at: 2026-11-23T02:10:00Z
host: "verifier-1"
database: "his"
backup: "his@12"
taken: 2026-11-22T18:00:00Z
proof: "proven"
server: "PostgreSQL 15.18"
source: %s
touched:
  - "alter column his.visit.ward_code (default, type)"
unseen:
  - "create index his.\\"a b\\""
steps:
  - direction: up
    number: 1
    name: "加长"
    milliseconds: 12
    locks:
      - {object: "his.visit", mode: "ACCESS EXCLUSIVE", blocks: "reads"}
      - {object: "his.ward", mode: "SHARE"}
    rewritten: ["his.visit"]
  - direction: down
    number: 1
    name: "step 1"
    milliseconds: 3
    locks: []
    rewritten: []
held:
  - {direction: up, from: 1, to: 2, milliseconds: 15}
  - {direction: down, from: 1, to: 1, milliseconds: 4}
rows:
  "his.visit": "120 120 120"
  "his.ward": "- 0 -"
sizes:
  "his.visit": 81920
written:
  up:
    "his.visit": "0 inserted, 20000 updated, 1 deleted"
  down: {}
down:
  equal: false
  order: ["his.visit.ward_code"]
  lost: recoverable
lint:
  "errors": 0
  "warnings": 2
files:
  "up.sql": %s
""" % ("a" * 64, "c" * 64)  # noqa: UP031 - the text has braces of its own
EMPTY = replace(
    FOUND,
    touched=(),
    unseen=(),
    steps=(),
    held=(),
    rows={},
    sizes={},
    written={},
    down=None,
    lint={},
    files={},
)
UNCOUNTED_TEXT = re.sub("^written:.*?(?=^down:)", "", TEXT, flags=re.DOTALL | re.MULTILINE).replace(
    "evidence/v3", "evidence/v2"
)
OLD_TEXT = re.sub(
    "held:.*?(?=rows:)|sizes:.*?(?=down:)", "", UNCOUNTED_TEXT, flags=re.DOTALL
).replace("evidence/v2", "evidence/v1")

_names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=5)
_counts = st.none() | st.integers(0, 10**12)
_evidence = st.builds(
    ChangeEvidence,
    id=_names,
    at=st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    host=_names,
    database=_names,
    backup=_names,
    taken=st.just(FOUND.taken),
    proof=_names,
    server=_names,
    source=st.just("f" * 64),
    touched=st.lists(
        st.builds(Touch, st.just(Verb.DROP), st.sampled_from(ObjectKind), _names), max_size=2
    ).map(tuple),
    unseen=st.just(FOUND.unseen),
    steps=st.lists(
        st.builds(
            StepEvidence,
            st.sampled_from(Direction),
            st.integers(1, 99),
            _names,
            st.integers(0, 10**9),
            st.lists(st.builds(Lock, _names, _names, st.just("") | _names), max_size=2).map(tuple),
            st.lists(_names, max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    held=st.lists(
        st.builds(
            HeldEvidence,
            st.sampled_from(Direction),
            st.integers(1, 99),
            st.integers(1, 99),
            st.integers(0, 10**9),
        ),
        max_size=2,
    ).map(tuple),
    sizes=st.dictionaries(_names, st.integers(0, 10**15), max_size=2),
    written=st.none()
    | st.dictionaries(
        st.sampled_from(Direction),
        st.dictionaries(_names, st.builds(Written, *[st.integers(0, 10**12)] * 3), max_size=2),
    ),
    rows=st.dictionaries(_names, st.builds(RowCounts, _counts, _counts, _counts), max_size=2),
    down=st.none()
    | st.builds(
        DownEvidence,
        st.booleans(),
        st.lists(_names, max_size=2).map(tuple),
        st.sampled_from(DataLoss),
    ),
    lint=st.dictionaries(_names, st.integers(0, 99), max_size=2),
    files=st.just(FOUND.files),
)


def test_the_text_is_always_the_same() -> None:
    """Byte for byte, so that a signature of it means something."""
    assert evidence_text(FOUND).decode() == TEXT
    assert parse_evidence(TEXT.encode(), "evidence.yml") == FOUND


@given(_evidence)
def test_evidence_reads_back(evidence: ChangeEvidence) -> None:
    """Whatever was found, unless a name hides a character: what does not is never written."""
    if any(sign in repr(evidence) for sign in "\u115f\u1160\u17b4\u17b5\u3164\uffa0"):
        with pytest.raises(Refused):
            evidence_text(evidence)
    else:
        assert evidence_text(evidence).endswith(b"\n")


def test_evidence_of_nothing_reads_back() -> None:
    """Empty lists and no way back."""
    data = evidence_text(EMPTY)
    ending = (
        b"steps: []\nheld: []\nrows: {}\nsizes: {}\nwritten: {}\ndown: none\nlint: {}\nfiles: {}\n"
    )
    assert ending in data
    assert parse_evidence(data, "evidence.yml") == EMPTY


def test_old_evidence_is_read() -> None:
    """What ran under it can be taken back; nobody had counted or measured what is said now."""
    uncounted = parse_evidence(UNCOUNTED_TEXT.encode(), "evidence.yml")
    assert uncounted == replace(FOUND, written=None)
    assert evidence_text(uncounted).decode() == UNCOUNTED_TEXT
    old = parse_evidence(OLD_TEXT.encode(), "evidence.yml")
    assert old == replace(FOUND, held=None, sizes={}, written=None)
    assert evidence_text(old).decode() == OLD_TEXT
    with pytest.raises(Refused) as caught:
        parse_evidence(OLD_TEXT.replace("rows:", "held: []\nrows:").encode(), "evidence.yml")
    assert caught.value.message == "evidence.yml line 30: unknown key held"
    with pytest.raises(Refused) as caught:
        parse_evidence(TEXT.replace("sizes:", "bytes:").encode(), "evidence.yml")
    assert caught.value.message == "evidence.yml line 1: sizes is missing"


def test_the_locks_of_each_step() -> None:
    """By direction and number, as a run asks for them."""
    first, second = FOUND.steps
    assert FOUND.locks == {(Direction.UP, 1): first.locks, (Direction.DOWN, 1): ()}
    assert second.locks == ()


def test_how_long_a_direction_took() -> None:
    """The sum of its steps."""
    assert (FOUND.took(Direction.UP), FOUND.took(Direction.DOWN)) == (12, 3)


def test_evidence_of_a_folder() -> None:
    """A file a database; not judged here."""
    work = work_of(HEAD, {"rehearsed-his.yml": TEXT.encode()})
    assert read_evidence(work, "his") == FOUND
    assert read_evidence(work, "lab") is None


def test_thousands_of_tables_are_read() -> None:
    """The reader's bound on values leaves room for the largest hospital systems' evidence."""
    rows = {f"his.table_{number}": RowCounts(1, 2, 3) for number in range(4000)}
    assert evidence_text(replace(EMPTY, rows=rows)).count(b"1 2 3") == len(rows)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("evidence/v3", "evidence/v4", 1, "dbops is not allowed"),
        ('id: "c-1"\n', "", 1, "id is missing"),
        ("Z\nhost", "\nhost", 3, "at is not allowed"),
        ("source: a", "source: b", 10, "source is not allowed"),
        ("(default, type)", "(type, default)", 11, "touched is not allowed"),
        ("direction: up", "direction: left", 16, "direction is not allowed"),
        ("milliseconds: 12", "milliseconds: 1.2", 19, "milliseconds is not allowed"),
        ("from: 1, to: 2", "from: 1", 31, "to is missing"),
        ("direction: up, f", "direction: left, f", 31, "direction is not allowed"),
        ("to: 2, m", "to: 2, a: b, m", 31, "unknown key a"),
        ("milliseconds: 15", "milliseconds: -15", 31, "milliseconds is not allowed"),
        ('"120 120 120"', '"120 120"', 34, "rows is not allowed"),
        ('"his.visit": 81920', '"his.visit": much', 37, "his.visit is not allowed"),
        ("\nwritten:", "\nwrote:", 1, "written is missing"),
        ("20000 updated", "many updated", 40, "his.visit is not allowed"),
        ("  down: {}", "  left: {}", 41, "unknown key left"),
        ("  down: {}", "  down: none", 41, "down is not allowed"),
        ("equal: false", "equal: no", 43, "equal is not allowed"),
        ("lost: recoverable", "lost: all", 45, "lost is not allowed"),
        ("\ndown:\n", "\ndown: nowhere\nup:\n", 42, "down is not allowed"),
        ('"errors": 0', '"errors": -1', 47, "errors is not allowed"),
        ('mode: "SHARE"', 'mode: "SHARE", a: b', 22, "unknown key a"),
        ("    rewritten: []\n", "    rewritten: []\n    a: b\n", 30, "unknown key a"),
        ("lint:\n", "more: 1\nlint:\n", 46, "unknown key more"),
    ],
)
def test_malformed_evidence_is_refused(old: str, new: str, line: int, what: str) -> None:
    """With the line, as every evidence is."""
    text = TEXT.replace(old, new, 1).replace("b" + "a" * 63, "g" * 64)
    with pytest.raises(Refused) as caught:
        parse_evidence(text.encode(), "changes/c-1/evidence.yml")
    assert caught.value.code == "evidence-form"
    what = what.replace("rows is", "his.visit is")
    assert caught.value.message == f"changes/c-1/evidence.yml line {line}: {what}"


def test_evidence_that_would_not_read_back_is_not_written() -> None:
    """A time with a fraction, or a name over two lines."""
    for found in (
        replace(FOUND, at=FOUND.at.replace(microsecond=1)),
        replace(FOUND, host="a\nb"),
        replace(FOUND, server=" x"),
    ):
        with pytest.raises(Refused) as caught:
            evidence_text(found)
        assert caught.value.code == "evidence-form"
