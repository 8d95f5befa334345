"""Every rule has its module, its page and its test, and the pages say what the rules do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

import dbops.repair.rules
from dbops.repair.rules.every import EVERY
from dbops.repair.rules.finding import Rule
from tests.repair.rules.judging import SCRIPT, found, judged

_PAGES = Path(__file__).parents[3] / "docs/reference/rules"
_MODULES = Path(dbops.repair.rules.__file__).parent
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+) ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A script of a page with the part of a manifest that follows it."""

    dialect: str
    script: str
    manifest: str


def _module(rule: Rule) -> str:
    return rule.id.lower().replace("-", "_")


def _sections(rule: Rule) -> dict[str, str]:
    parts = _SECTION.split((_PAGES / f"{rule.id}.md").read_text("utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _examples(section: str) -> Iterator[Example]:
    """The examples; a manifest without a script of its own has the usual one."""
    current: Example | None = None
    for language, dialect, text in _BLOCK.findall(section):
        if language == "sql":
            if current is not None:
                yield current
            current = Example(dialect or "postgres", text.strip(), "")
        else:
            script = SCRIPT if current is None else current.script
            yield Example(current.dialect if current else "postgres", script, text)
            current = None
    if current is not None:
        yield current


_CASES = [(rule, name) for rule in EVERY for name in ("Instead of", "Use")]


def test_each_rule_has_a_module_a_page_and_a_test() -> None:
    """And no module, page or test is of a rule that is not there."""
    names = {_module(rule) for rule in EVERY}
    assert {path.stem for path in _MODULES.glob("rep_*.py")} == names
    assert {path.stem for path in _PAGES.glob("REP-*.md")} == {rule.id for rule in EVERY}
    tests = {path.stem for path in Path(__file__).parent.glob("test_rep_*.py")}
    assert tests == {f"test_{name}" for name in names}


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.id)
def test_each_module_holds_its_rule(rule: Rule) -> None:
    """Under the rule's own name, and with that name at the head of its docstring."""
    module = import_module(f"dbops.repair.rules.{_module(rule)}")
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
        report = judged(example.script, example.manifest, dialect=example.dialect)
        assert bool(found(report, rule.id)) is (section == "Instead of"), example
        assert all(said.rule != rule.id for said in report.unchecked)
