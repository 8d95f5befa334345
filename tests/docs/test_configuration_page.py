"""`docs/reference/configuration.md` says what the grammar of dbops.toml says."""

from __future__ import annotations

import re
from datetime import time, timedelta
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from dbops.durations import parse_duration
from dbops.estate import document
from tests.docs.markdown import ROOT

PAGE = ROOT / "docs/reference/configuration.md"
SECTIONS: dict[str, type[document.Table]] = {
    "`[estate]`": document.EstateTable,
    "`[host]`": document.HostTable,
    "`[repositories.NAME]`": document.RepositoryTable,
    "`[policies.NAME]`": document.PolicyTable,
    "`[systems.NAME]`": document.SystemTable,
    '`[databases.NAME]` with `engine = "sqlite"`': document.SqliteDatabaseTable,
    '`[databases.NAME]` with `engine = "postgresql"`': document.PostgresqlDatabaseTable,
    "`[databases.NAME.repair]` and `[databases.NAME.admin]`": document.LoginTable,
    '`[targets.NAME]` with `engine = "sqlite"`': document.SqliteTable,
    '`[targets.NAME]` with `engine = "postgresql"`': document.PostgresqlTable,
    "`[audit]`": document.AuditTable,
    "`[audit.anchors.NAME]`": document.AnchorTable,
    "`[review]`": document.ReviewTable,
    "`[repair]`": document.RepairTable,
    "`[clocks.NAME]`": document.ClockTable,
    "`[calendar]`": document.CalendarTable,
    "`[scratch.postgresql]`": document.PostgresqlScratchTable,
    "Secrets": document.SecretTable,
}
_ROW = re.compile(r"^\| `(\w+)` \| (.*?) \|", re.MULTILINE)


def _rows(title: str) -> dict[str, str]:
    """Key to default, as the page has them under the heading."""
    text = Path(PAGE).read_text("utf-8")
    (section,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    return dict(_ROW.findall(section))


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
        if told.startswith("`") and told.endswith("`") and told.count("`") == 2:
            assert _value(told.strip("`"), field) == field.default, key


def test_every_table_of_the_grammar_has_a_section() -> None:
    """A table that is added to the grammar must be added to the page."""
    tables = {
        kind
        for kind in vars(document).values()
        if isinstance(kind, type) and issubclass(kind, document.Table)
    }
    assert tables - {document.Table, document.Document, document.ScratchTable} == set(
        SECTIONS.values()
    )


def _value(told: str, field: FieldInfo) -> object:
    """What the default on the page means in the file."""
    if isinstance(field.default, timedelta):
        return parse_duration(told.strip('"'))
    if isinstance(field.default, bool):
        return told == "true"
    if isinstance(field.default, time):
        return time.fromisoformat(told.strip('"'))
    return told.strip('"') if told.startswith('"') else int(told)
