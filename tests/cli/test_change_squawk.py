"""`dbops change check` beside squawk: its findings are shown, accepted, and stop nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbops.change.squawk import find_squawk
from tests.cli.changes import WORK, write
from tests.cli.ops import Ops, found_ops
from tests.cli.repairs import done
from tests.fix_tools import absent

_LAB = """
[databases.lab]
system = "example"
engine = "postgresql"
host = "127.0.0.1"
port = 1
dbname = "lab"
user = "nobody"
password = { file = "secrets/lab" }
sslmode = "disable"
repository = "main"
policy = "nightly"
"""
_RULE = "SQUAWK-prefer-bigint-over-int"


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with a PostgreSQL server that does not answer."""
    root = tmp_path_factory.mktemp("squawk") / "estate"
    ops = found_ops(root)
    (root / "secrets" / "lab").write_text("x")
    (root / "secrets" / "lab").chmod(0o600)
    with (root / "dbops.toml").open("a", encoding="utf-8") as file:
        file.write(_LAB)
    return ops


def beds(ops: Ops, accepted: str = "", database: str = "lab", table: str = "his.ward") -> None:
    """A change without fault but for squawk."""
    write(
        ops,
        up=f"ALTER TABLE {table} ADD COLUMN beds integer;\n",
        down=f"ALTER TABLE {table} DROP COLUMN beds;\n",
        touches=(f"create column {table}.beds",),
        databases=database,
        more=f"why: beds are counted on paper\npersonal: {{{table}.beds: none}}\n{accepted}",
    )


def test_findings_of_squawk_are_shown_and_accepted(ops: Ops) -> None:
    """By the program itself, beside the rules, and without a database that answers."""
    if find_squawk() is None:
        absent("squawk", "squawk is missing: pip install 'dbops[squawk]' brings it as a wheel")
    beds(ops)
    sentence = "squawk: Using 32-bit integer fields can result in hitting the max `int` limit"
    shown = done(ops.run("change", "check", WORK, "--offline")).stdout
    assert shown == (
        f"{WORK}: up.sql line 1: warning {_RULE}: {sentence}\n"
        "  hint: Use 64-bit integer values instead to prevent hitting this limit\n"
        f"{WORK}: nothing stops it\n"
    )
    beds(ops, f"accepted:\n  - {{rule: {_RULE}, at: up.sql line 1, why: wards are small}}")
    shown = done(ops.run("change", "check", WORK, "--offline")).stdout
    assert f"{WORK}: up.sql line 1: accepted {_RULE}: {sentence}\n" in shown
    assert "DDL-ACCEPTED" not in shown
    told = json.loads(done(ops.run("change", "check", WORK, "--offline", "--json")).stdout)
    assert (told["whole"], told["work"][0]["blocking"]) == (True, [])


def test_squawk_is_not_asked_about_sqlite(ops: Ops) -> None:
    """It reads PostgreSQL's SQL only; nothing can be accepted of it there."""
    accepted = f"accepted:\n  - {{rule: {_RULE}, why: wards are small}}"
    beds(ops, accepted, "example", "visit")
    shown = done(ops.run("change", "check", WORK, "--offline"))
    assert f"DDL-ACCEPTED: {_RULE} is accepted, and found nothing there\n" in shown.stdout
    assert "squawk" not in shown.output


def test_where_squawk_is_not_a_remark_says_so_if_the_manifest_rests_on_it(
    ops: Ops, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And in no other case: the verdict is the same on every host."""
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    beds(ops)
    assert (
        done(ops.run("change", "check", WORK, "--offline")).output == f"{WORK}: nothing stops it\n"
    )
    beds(ops, f"accepted:\n  - {{rule: {_RULE}, why: wards are small}}")
    said = done(ops.run("change", "check", WORK, "--offline"))
    assert said.stdout == f"{WORK}: nothing stops it\n"
    why = "squawk, of which a finding is accepted, is not here"
    assert f"remark: {WORK}: SQUAWK: not checked: {why}\n" in said.stderr
