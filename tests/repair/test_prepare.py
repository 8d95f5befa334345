"""The change that makes a database ready for repairs: what is drawn up, and what runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dbops.engines.postgresql.connect import Parameters
from dbops.engines.postgresql.repair import PostgresqlRepairEngine
from dbops.errors import DbopsError, Refused
from dbops.repair.prepare import (
    Preparation,
    draw_up_preparation,
    preparation_sql,
    prepare_database,
    tables_of,
)
from dbops.repair.table import TableName
from dbops.review.work import Kind, Risk, Work, read_manifest
from tests.engines.sqlite.repairs import SqliteSite

WANTED = Preparation(
    id="2026-101-prepare",
    title="Make lab ready for repairs",
    author="wei@contractor",
    ticket="T-1",
    risk=Risk.HIGH,
    database="lab",
    tables=(TableName("his", "visit"), TableName("", "病区 表")),
)


@pytest.fixture
def site(tmp_path: Path) -> SqliteSite:
    site = SqliteSite(tmp_path / "lab.db")
    site.run("CREATE TABLE visit (id INTEGER PRIMARY KEY)")
    return site


@pytest.fixture
def work(site: SqliteSite) -> Work:
    return draw_up_preparation(WANTED, site.engine)


def test_what_is_drawn_up(work: Work, site: SqliteSite) -> None:
    """A manifest that people read, and the engine's two texts, each ended by a newline."""
    manifest = read_manifest(work)
    assert (manifest.kind, manifest.databases, manifest.risk) == (Kind.CHANGE, ("lab",), Risk.HIGH)
    assert work.files["change.yml"].decode() == (
        "dbops: change/v1\n"
        "id: 2026-101-prepare\n"
        'title: "Make lab ready for repairs"\n'
        "author: wei@contractor\n"
        'ticket: "T-1"\n'
        "risk: high\n"
        "prepares: repairs\n"
        "databases:\n  - lab\n"
        'tables:\n  - his.visit\n  - "病区 表"\n'
    )
    assert sorted(work.files) == ["change.yml", "down.sql", "up.sql"]
    assert work.files["up.sql"].decode().strip() == site.engine.prepare_sql(()).strip()
    assert work.files["down.sql"].decode().strip() == site.engine.remove_sql().strip()


def test_what_is_only_read_can_be_read() -> None:
    """It is granted where there are roles; the manifest names what may be written."""
    engine = PostgresqlRepairEngine(parameters=_nobody, admin=_nobody)
    read = (TableName("dict", "ward"), TableName("his", "visit"))
    found = draw_up_preparation(replace(WANTED, read=read), engine)
    text = found.files["up.sql"].decode()
    assert 'GRANT SELECT ON "dict"."ward" TO "dbops_repair";\n' in text
    assert 'GRANT USAGE ON SCHEMA "dict" TO "dbops_repair";\n' in text
    assert text.count('ON "his"."visit" TO') == 1
    assert text == engine.prepare_sql(WANTED.tables, read)
    assert b"ward" not in found.files["change.yml"]


def _nobody() -> Parameters:
    raise AssertionError("nobody is asked")


def test_exactly_the_approved_text_runs(work: Work, site: SqliteSite) -> None:
    """An edited text runs as it was edited; what this version would write does not matter."""
    files = dict(work.files)
    files["up.sql"] += b"CREATE TABLE reviewed (id INTEGER PRIMARY KEY);\n"
    prepare_database(replace(work, files=files), "lab", site.engine)
    found = {name for (name,) in site.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert found == {"visit", "dbops_run", "reviewed"}
    site.engine.install(work.files["down.sql"].decode())
    assert site.rows("SELECT name FROM sqlite_master WHERE name = 'dbops_run'") == []


def test_a_text_that_fails_leaves_nothing(work: Work, site: SqliteSite) -> None:
    """One transaction: the table that came before the mistake is not there."""
    files = dict(work.files)
    files["up.sql"] += b"CREATE TABLE visit (id INTEGER);\n"
    with pytest.raises(DbopsError):
        prepare_database(replace(work, files=files), "lab", site.engine)
    assert site.rows("SELECT name FROM sqlite_master WHERE name = 'dbops_run'") == []


@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        ("change.yml", "prepares: repairs\n", "", "it is no change that prepares"),
        ("change.yml", "  - lab\n", "  - lab\n  - his\n", "it is of lab, his, not of lab alone"),
        ("change.yml", "  - lab\n", "  - his\n", "it is of his, not of lab alone"),
    ],
)
def test_another_change_is_refused(work: Work, name: str, old: str, new: str, why: str) -> None:
    """An approval of something else prepares nothing."""
    text = work.files[name].decode()
    assert old in text
    other = replace(work, files={**work.files, name: text.replace(old, new, 1).encode()})
    with pytest.raises(Refused) as caught:
        preparation_sql(other, "lab")
    assert caught.value.code == "prepare-other"
    assert caught.value.message.startswith(
        f"2026-101-prepare does not prepare this database: {why}"
    )


def test_a_change_without_its_text_is_refused(work: Work) -> None:
    """There is nothing to run, and nothing is run."""
    files = {name: data for name, data in work.files.items() if name != "up.sql"}
    with pytest.raises(Refused) as caught:
        preparation_sql(replace(work, files=files), "lab")
    assert caught.value.message.endswith("there is no up.sql")


def test_a_text_with_hidden_characters_is_refused(work: Work) -> None:
    """What does not read as it is does not run."""
    files = {**work.files, "up.sql": "SELECT '\u202e';\n".encode()}
    with pytest.raises(Refused) as caught:
        preparation_sql(replace(work, files=files), "lab")
    assert caught.value.code.startswith("text-")


def test_tables_are_named_as_in_a_manifest() -> None:
    """Each once, in their order; what names no table is refused."""
    assert tables_of(["his.visit", '"odd.name"', "his.visit"]) == (
        TableName("his", "visit"),
        TableName("", "odd.name"),
    )
    for option in ("--table", "--read"):
        with pytest.raises(Refused) as caught:
            tables_of(["a.b.c"], option)
        assert caught.value.code == "prepare-table"
        assert caught.value.message == f"{option} does not name a table"
