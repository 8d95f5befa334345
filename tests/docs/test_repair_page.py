"""`docs/reference/repair-yml.md` says what the grammar of repair.yml says."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from dbops.durations import parse_duration
from dbops.repair import manifest, manifest_parameters, manifest_text
from dbops.repair.evidence import RepairEvidence, TableEvidence, TransactionEvidence, UndoEvidence
from dbops.repair.head import RepairHead
from dbops.repair.manifest_text import parse_repair
from dbops.repair.parameter import ParameterType
from dbops.repair.playbook import instantiate, parse_playbook
from dbops.repair.table import TableName
from dbops.review.work import Kind, Work
from dbops.sql.written import Written
from tests.docs.grammar import ROW, keys_of, section_of
from tests.docs.markdown import ROOT, blocks

PAGE = ROOT / "docs/reference/repair-yml.md"
TEXT = PAGE.read_text("utf-8")
# The heading of each table, and what reads it: a function, and the mapping that it reads.
SECTIONS = {
    "`repair.yml`": ("parse_repair", "section"),
    "`cause`": ("_cause", "given"),
    "`params`": ("_parameter", "given"),
    "`watch`": ("_watch", "given"),
    "`watch.expect`": ("_watch", "expect"),
    "`side_effects`": ("_side_effect", "given"),
    "`before` and `after`": ("_condition", "given"),
    "`limits`": ("_limits", "given"),
    "`undo`": ("_undo_rules", "given"),
    "`batch`": ("_batch", "given"),
    "`accepted`": ("_accepted", "given"),
    "`undo_of`": ("_undo", "undo"),
}
_TYPE = re.compile(r"^\| `(\w+)` \| [^|]* \|$", re.MULTILINE)


def _section(title: str) -> str:
    return section_of(TEXT, title)


def _grammar() -> dict[tuple[str, str], set[str]]:
    return keys_of(manifest_text, manifest_parameters)


@pytest.mark.parametrize("title", SECTIONS)
def test_the_page_has_every_key_and_no_other(title: str) -> None:
    """The keys under each heading are those that the grammar takes there."""
    told = {key for key, _, _ in ROW.findall(_section(title))}
    assert told == _grammar()[SECTIONS[title]]


def test_every_mapping_of_the_grammar_has_a_section() -> None:
    """A mapping that is added to the grammar must be added to the page."""
    assert set(_grammar()) == set(SECTIONS.values())


def test_the_page_names_every_type() -> None:
    """The table of types is the enumeration."""
    assert _TYPE.findall(_section("`params`")) == [str(kind) for kind in ParameterType]


def test_the_defaults_are_the_grammars() -> None:
    """The durations that stand on the page are those that count where none is given."""
    told = {key: default for key, default, _ in ROW.findall(_section("`limits`"))}
    told |= {key: default for key, default, _ in ROW.findall(_section("`undo`"))}
    shown = {
        key: parse_duration(told[key].strip("`")) for key in ("lock_wait", "statement", "keep")
    }
    assert shown == {
        "lock_wait": manifest.LOCK_WAIT,
        "statement": manifest.STATEMENT,
        "keep": manifest.KEEP,
    }


def test_the_example_of_the_page_is_a_repair() -> None:
    """What people copy from the page is read as it stands there."""
    shown = {block.language: block.text.encode() for block in blocks(TEXT)}
    folder = "repairs/2026-117-visit-ward"
    files = {"repair.yml": shown["yaml"], "repair.sql": shown["sql"]}
    repair = parse_repair(Work(Kind.REPAIR, "2026-117-visit-ward", folder, files))
    (watch,) = repair.watches
    assert watch.table == TableName("his", "visit")
    assert watch.expect == Written(updated=38)
    assert watch.may_change == ("ward_code", "updated_at")
    assert repair.undo.volatile == ("updated_at",)


def test_the_playbook_of_the_guide_is_one() -> None:
    """What people copy to begin a playbook is one, and a repair comes of it."""
    guide = (ROOT / "docs/how-to/write-a-playbook.md").read_text("utf-8")
    shown = {block.language: block.text.encode() for block in blocks(guide)}
    files = {"playbook.yml": shown["yaml"], "repair.sql": shown["sql"]}
    playbook = parse_playbook(files, "playbooks/close-beds")
    head = RepairHead(id="2026-130-beds", author="zhang.wei@contractor", database="his")
    made = instantiate(playbook, {"ward": "OLD", "beds_closed": "12"}, head)
    repair = parse_repair(Work(Kind.REPAIR, head.id, f"repairs/{head.id}", made))
    assert repair.watches[0].expect == Written(updated=12)
    assert repair.limits.rows == 12


@pytest.mark.parametrize(
    "kind", [RepairEvidence, TableEvidence, TransactionEvidence, UndoEvidence, Written]
)
def test_every_key_of_evidence_is_named(kind: type) -> None:
    """No key of `evidence.yml` is left out of its section."""
    named = set(re.findall(r"`(\w+)`", _section("`evidence.yml`")))
    assert {item.name for item in fields(kind)} <= named
