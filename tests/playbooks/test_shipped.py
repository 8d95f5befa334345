"""What every playbook that is shipped must be, whatever it repairs."""

from __future__ import annotations

import re

import pytest

from dbops.repair.manifest_text import script_of
from dbops.repair.parameter import ParameterType
from dbops.repair.rules.lint import lint
from dbops.repair.shelf import list_playbooks, shipped_playbooks
from dbops.review.work import Kind, Work
from tests.playbooks.case import SHELF, Case
from tests.playbooks.cases import CASES

_SEALED = re.compile("kept|doubled|patient|specimen|item|bill|first|last|lost")
_HEADINGS = (
    "When to use it",
    "How many rows",
    "Parameters",
    "What it changes",
    "What it does not change",
    "How it is undone",
    "The tables that it takes for granted",
)


def test_each_playbook_is_read_and_has_a_test() -> None:
    """Nothing stands on the shelf that is not run by a test, and nothing there is broken."""
    shipped = shipped_playbooks()
    assert shipped is not None
    assert shipped.samefile(SHELF)
    found = list_playbooks([SHELF])
    assert [(each.name, each.fault) for each in found] == sorted(
        (case.playbook, None) for case in CASES
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_instance_is_a_repair_of_its_playbook(case: Case) -> None:
    """It reads back whole: head, counts in place, and the very bytes of the script."""
    repair, script = case.repair()
    assert (repair.playbook, repair.database, repair.clocks) == (
        case.playbook,
        "his",
        ("data-error",),
    )
    assert repair.title == case.read().title
    assert repair.risk is case.read().risk
    expected = sum(watch.expect.total for watch in repair.watches)
    assert repair.limits.rows == expected > 0
    assert repair.before
    assert repair.after
    head = f"repairs/{repair.id}"
    files = {"repair.sql": (SHELF / case.playbook / "repair.sql").read_bytes()}
    assert script == list(script_of(Work(Kind.REPAIR, repair.id, head, files)))


@pytest.mark.parametrize("dialect", ["postgres", "sqlite"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_rule_finds_anything(case: Case, dialect: str) -> None:
    """A playbook is the example that people copy.

    But that a count of 0 is said to be one, which is true.
    """
    counts = {name: "1" for name, value in case.settings.items() if value == "0"}
    repair, script = case.repair(counts)
    assert lint(repair, tuple(script), dialect, None).findings == ()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_who_is_concerned_is_sealed(case: Case) -> None:
    """The keys of patients and of what is theirs never stand in git."""
    parameters = case.read().parameters.values()
    sealed = {each.name for each in parameters if each.sealed}
    assert sealed == {
        each.name
        for each in parameters
        if not each.type.is_identifier
        and (each.type is ParameterType.ROWS or each.type is ParameterType.INTEGER)
        and _SEALED.search(each.name)
        and each.name.rpartition("_")[2] not in {"moved", "closed", "linked"}
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_its_page_says_what_people_ask(case: Case) -> None:
    """When, how many, what, what not, how it is undone; each parameter, in both languages."""
    page = (SHELF / case.playbook / "README.md").read_text("utf-8")
    playbook = case.read()
    assert page.startswith(f"# {playbook.title}\n\n**{playbook.title_zh}**：")
    assert tuple(re.findall("^## (.+)$", page, re.MULTILINE)) == _HEADINGS
    rows = dict(re.findall(r"^\| `(\w+)` \| \S.*? \| (.+?) \|", page, re.MULTILINE))
    assert rows == {
        name: "sealed" if each.sealed else "must be set" if each.required else f"`{each.default}`"
        for name, each in playbook.parameters.items()
    }


def test_the_list_names_each() -> None:
    """With a link to its page, and its title in both languages."""
    listed = (SHELF / "README.md").read_text("utf-8")
    for case in CASES:
        playbook = case.read()
        row = f"| [{playbook.name}]({playbook.name}/README.md) | {playbook.title} |"
        assert f"{row} {playbook.title_zh} | {playbook.risk.value} |" in listed
