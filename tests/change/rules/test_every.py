"""Every rule has its module, its page and its cases, and the pages say what the rules do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

import dbops.change.rules
from dbops.change.rules.every import EVERY
from dbops.change.rules.finding import Rule
from tests.change.rules import test_ddl_care, test_ddl_data, test_ddl_way_back, test_others, test_pg
from tests.change.rules.judging import DOWN, UP, found, judged

_PAGES = Path(__file__).parents[3] / "docs/reference/rules"
_MODULES = Path(dbops.change.rules.__file__).parent
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+) ?(\w*) ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RULE_MODULE = re.compile("(ddl|pg|lt|my|ora|ms)_.*")
_TESTS = (test_ddl_care, test_ddl_data, test_ddl_way_back, test_others, test_pg)


@dataclass
class Example:
    """A script of a page, with the way back and the part of a manifest that follow it."""

    up: str = UP
    down: str = DOWN
    manifest: str = ""
    dialect: str = "postgres"


def _module(rule: Rule) -> str:
    return rule.id.lower().replace("-", "_")


def _sections(rule: Rule) -> dict[str, str]:
    parts = _SECTION.split((_PAGES / f"{rule.id}.md").read_text("utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _examples(section: str) -> Iterator[Example]:
    """The examples: each begins with its script, or is a manifest alone."""
    current: Example | None = None
    for language, dialect, file, text in _BLOCK.findall(section):
        if language == "sql" and file == "down" and current is not None:
            current.down = text.strip()
        elif language == "sql":
            if current is not None:
                yield current
            current = Example(text.strip(), dialect=dialect or "postgres")
        elif current is None:
            yield Example(manifest=text)
        else:
            current.manifest = text
    if current is not None:
        yield current


_CASES = [(rule, name) for rule in EVERY for name in ("Instead of", "Use")]


def test_each_rule_has_a_module_and_a_page() -> None:
    """And no module or page is of a rule that is not there."""
    assert len(EVERY) == len({rule.id for rule in EVERY}) >= 25
    modules = {path.stem for path in _MODULES.glob("*.py") if _RULE_MODULE.fullmatch(path.stem)}
    assert modules == {_module(rule) for rule in EVERY}
    pages = {path.stem for path in _PAGES.glob("*.md")} - {"README"}
    assert {page for page in pages if not page.startswith("REP-")} == {rule.id for rule in EVERY}


def test_each_rule_has_cases_that_it_finds_and_cases_that_it_leaves_alone() -> None:
    """In the tables of the tests beside this one."""
    cases = [case for module in _TESTS for case in module.CASES]
    assert {case.rule for case in cases if case.sentences} == {rule.id for rule in EVERY}
    assert {case.rule for case in cases if not case.sentences} == {rule.id for rule in EVERY}


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.id)
def test_each_module_holds_its_rule(rule: Rule) -> None:
    """Under the rule's own name, and with that name at the head of its docstring."""
    module = import_module(f"dbops.change.rules.{_module(rule)}")
    assert getattr(module, _module(rule).upper()) is rule
    assert (module.__doc__ or "").startswith(f"{rule.id}: ")


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.id)
def test_each_page_has_the_rules_title_and_severity(rule: Rule) -> None:
    """And the index says the same."""
    text = (_PAGES / f"{rule.id}.md").read_text("utf-8")
    assert text.startswith(f"# {rule.id}: {rule.title}\n\n{rule.severity.value.capitalize()}: ")
    assert list(_sections(rule)) == ["Problem", "Instead of", "Use"]
    row = f"| [{rule.id}]({rule.id}.md) | {rule.severity.value} | {rule.title} |"
    assert row in (_PAGES / "README.md").read_text("utf-8").splitlines()


@pytest.mark.parametrize(("rule", "section"), _CASES, ids=lambda part: getattr(part, "id", part))
def test_the_examples_are_judged_as_the_page_says(rule: Rule, section: str) -> None:
    """What a page advises against is found by its rule, and what it advises is not."""
    examples = list(_examples(_sections(rule)[section]))
    assert examples
    for example in examples:
        report = judged(example.up, example.manifest, down=example.down, dialect=example.dialect)
        assert bool(found(report, rule.id)) is (section == "Instead of"), example
        assert rule.id == "ORA-INVALID" or all(each.rule != rule.id for each in report.unchecked)
