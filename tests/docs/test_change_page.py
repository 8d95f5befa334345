"""`docs/reference/change-yml.md` says what the grammar of change.yml says."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from dbops.change import manifest, manifest_text
from dbops.change.evidence import ChangeEvidence, DownEvidence, StepEvidence
from dbops.change.manifest import Limits
from dbops.change.manifest_text import parse_change
from dbops.change.ports import Lock
from dbops.change.schema import ObjectKind
from dbops.change.script import steps_of
from dbops.change.step import Direction
from dbops.change.touch import parse_touch
from dbops.durations import parse_duration
from dbops.review.work import Kind, Work
from tests.change.test_evidence import TEXT as FOUND
from tests.docs.grammar import ROW, section_of
from tests.docs.markdown import ROOT, blocks

TEXT = (ROOT / "docs/reference/change-yml.md").read_text("utf-8")
# The heading of each table, and the function that reads its mapping.
SECTIONS = {
    "`change.yml`": ("parse_change", "section"),
    "`rings`": ("_rings", "given"),
    "`window`": ("_window", "given"),
    "`limits`": ("_limits", "given"),
    "`accepted`": ("_accepted", "given"),
}


@pytest.mark.parametrize("title", SECTIONS)
def test_the_page_has_every_key_and_no_other(title: str) -> None:
    """The keys under each heading are those that the grammar takes there."""
    limits = section_of(TEXT, "`limits`")
    told = {key: default.strip("`") for key, default, _ in ROW.findall(limits)}
    usual = Limits()
    assert parse_duration(told["lock_wait"]) == usual.lock_wait
    assert parse_duration(told["statement"]) == usual.statement
    assert parse_duration(told["pause"]) == usual.pause
    assert told["attempts"] == str(usual.attempts)
    assert f"1 to {manifest_text.ATTEMPTS_MOST}" in limits
    days = section_of(TEXT, "`window`")
    assert all(f"`{day}`" in days for day in manifest.DAYS)


def test_the_page_names_every_kind() -> None:
    """In the order in which they are compared."""
    section = " ".join(section_of(TEXT, "`touches`").split())
    assert f"Kinds are: {', '.join(ObjectKind)}." in section


def test_the_lines_of_the_page_are_touches() -> None:
    """What people copy is read as it stands there."""
    lines = re.findall(r"^\| `((?:create|alter|drop) .*?)` \|", section_of(TEXT, "`touches`"), re.M)
    assert len(lines) == 3
    assert [touch.line for line in lines if (touch := parse_touch(line))] == lines
    named = re.findall(r"`((?:create|alter|drop) [^`]*)`", section_of(TEXT, "`touches`"))
    assert len(named) > len(lines)
    assert all((touch := parse_touch(line)) and touch.line == line for line in named)


def test_the_example_of_the_page_is_a_change() -> None:
    """Its scripts have the steps that it names."""
    shown = {block.language: block.text.encode() for block in blocks(TEXT)}
    files = {
        "change.yml": shown["yaml"],
        "up.sql": shown["sql"],
        "down.sql": b"",
        "verify.sql": b"",
    }
    work = Work(Kind.CHANGE, "2026-031-visit-ward-fk", "changes/2026-031-visit-ward-fk", files)
    change = parse_change(work)
    assert change.databases == ("his-test", "his")
    assert len(change.touches) == 4
    steps = steps_of(work, Direction.UP)
    assert [(step.name, step.begins) for step in steps] == [
        ("make room", False),
        ("point to wards", False),
        ("step 3", False),
        ("old rows too, while others read and write", True),
    ]
    assert change.accepted[0].at == f"up.sql line {steps[2].line}"


@pytest.mark.parametrize("kind", [ChangeEvidence, StepEvidence, DownEvidence, Lock])
def test_every_key_of_evidence_is_named(kind: type) -> None:
    """No key of a rehearsal's findings is left out of its section."""
    named = set(re.findall(r"`(\w+)`", section_of(TEXT, "`rehearsed-DB.yml`")))
    assert {item.name for item in fields(kind)} <= named


def test_every_key_of_what_was_held_is_named() -> None:
    """As it is written: `from` and `to`, which are words of Python."""
    (row,) = (
        row for row in section_of(TEXT, "`rehearsed-DB.yml`").splitlines() if "`held` |" in row
    )
    (line, _) = re.findall(r"(?<=^  - \{)direction: .* milliseconds: .*(?=\})", FOUND, re.MULTILINE)
    keys = [pair.partition(":")[0] for pair in line.split(", ")]
    assert [key for key in re.findall(r"`(\w+)`", row) if key != "held"] == keys
