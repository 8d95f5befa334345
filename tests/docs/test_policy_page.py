"""`docs/reference/policy.md` says what the grammar of policy.toml says."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from enum import StrEnum

import pytest
from pydantic.fields import FieldInfo

from dbops.crypto.sshsig import Namespace
from dbops.durations import parse_duration
from dbops.review import policy_document
from dbops.review.policy import parse_policy
from dbops.review.work import Kind
from tests.docs.markdown import ROOT, blocks

PAGE = ROOT / "docs/reference/policy.md"
SECTIONS: dict[str, type[policy_document.Table]] = {
    "The whole file": policy_document.Document,
    "`[persons.NAME]`": policy_document.PersonTable,
    "`[[rules]]`": policy_document.RuleTable,
    "`[break_glass]`": policy_document.BreakGlassTable,
    "`[repair]`": policy_document.RepairTable,
    "`[change]`": policy_document.ChangeTable,
}
_ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", re.MULTILINE)


def _section(title: str) -> str:
    (section,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)",
        PAGE.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return str(section)


def _rows(title: str) -> dict[str, str]:
    """Key to default, as the page has them under the heading."""
    return {key: told for key, told, _ in _ROW.findall(_section(title))}


@pytest.mark.parametrize("title", SECTIONS)
def test_the_page_has_every_key_and_no_other(title: str) -> None:
    """The keys under each heading are those of the grammar."""
    assert set(SECTIONS[title].model_fields) == set(_rows(title))


@pytest.mark.parametrize("title", SECTIONS)
def test_the_page_says_what_is_required_and_what_the_defaults_are(title: str) -> None:
    """A key is called required exactly where it is, and a default value is the grammar's."""
    for key, told in _rows(title).items():
        field = SECTIONS[title].model_fields[key]
        assert (told == "required") == field.is_required(), key
        if told.startswith("`"):
            assert _value(told.strip("`"), field) == field.default, key
        elif not field.is_required() and not isinstance(field.default, policy_document.Table):
            assert not field.default, f"{key} has a default, and the page does not show it"


def test_every_table_of_the_grammar_has_a_section() -> None:
    """A table that is added to the grammar must be added to the page."""
    tables = {
        kind
        for kind in vars(policy_document).values()
        if isinstance(kind, type) and issubclass(kind, policy_document.Table)
    }
    assert tables - {policy_document.Table} == set(SECTIONS.values())


def test_the_page_names_every_kind_of_work() -> None:
    """The row of `kinds` lists those there are, and no other."""
    (told,) = re.findall(r"^\| `kinds` \| required \| (.*) \|$", _section("`[[rules]]`"), re.M)
    assert set(re.findall(r"`(\w+)`", told)) == {str(kind) for kind in Kind}


def test_the_example_of_the_page_is_a_policy() -> None:
    """What people copy from the page is read as it stands there."""
    page = blocks(PAGE.read_text("utf-8"))
    (example,) = [block.text for block in page if block.language == "toml"]
    policy = parse_policy(example, "policy.toml")
    assert sorted(policy.persons) == sorted(tomllib.loads(example)["persons"])


def test_the_page_names_the_namespaces_as_the_code_does() -> None:
    """Each namespace on the page is one that a signature can have."""
    told = re.findall(r"`(dbops-[\w-]+@v\d+)`", _section("Namespaces in `allowed_signers`"))
    assert told
    assert set(told) <= {str(namespace) for namespace in Namespace}


def _value(told: str, field: FieldInfo) -> object:
    """What the default on the page means in the file."""
    if isinstance(field.default, timedelta):
        return parse_duration(told.strip('"'))
    if isinstance(field.default, StrEnum):
        return type(field.default)(told.strip('"'))
    return tomllib.loads(f"value = {told}")["value"]
