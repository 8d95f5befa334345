"""Changes of several transactions: where each begins, and what is said when a later one fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from dbops.change.script import parse_steps
from dbops.cli.change_scripts import script_lines
from dbops.errors import ExitStatus
from tests.change.rules.judging import parts
from tests.cli.changes import (
    PERSONAL,
    VERIFY,
    WORK,
    alter,
    approve,
    folder,
    found_changes,
    rehearse,
    request,
    run,
    write,
)
from tests.cli.ops import Ops, copy_ops, found_ops
from tests.cli.repairs import done
from tests.support.estate import run_sql

MORE = f"{PERSONAL}\naccepted:\n  - {{rule: DDL-UNIQ, why: notes are looked through}}"
UNIQUE = "CREATE UNIQUE INDEX visit_note ON visit (note)"
UP = """\
-- step: who referred the patient
ALTER TABLE visit ADD COLUMN referred_by TEXT;

-- why it stands alone
-- part: find visits by it
CREATE INDEX visit_referred_by ON visit (referred_by);
"""
WITH_UNIQUE = UP.replace("CREATE INDEX visit_referred_by ON visit (referred_by)", UNIQUE)
REST: Final[Mapping[str, Any]] = {
    "down": "DROP INDEX visit_note; ALTER TABLE visit DROP COLUMN referred_by;\n",
    "touches": ("create column visit.referred_by", "create index visit_note"),
    "verify": "SELECT 1 = 1;\n",
    "more": MORE,
}
DOWN = "DROP INDEX visit_referred_by; ALTER TABLE visit DROP COLUMN referred_by;\n"


def lines(text: str) -> list[str]:
    """How a script of PostgreSQL is shown."""
    steps = parse_steps(text.encode(), "up.sql")
    return list(script_lines("up.sql", text, parts(steps, "postgres")))


def test_each_transaction_begins_above_what_names_it() -> None:
    """The lines of the script keep their numbers."""
    assert lines(UP) == [
        "up.sql, in 2 transactions:",
        "      == transaction 1 begins",
        "   1  -- step: who referred the patient",
        "   2  ALTER TABLE visit ADD COLUMN referred_by TEXT;",
        "   3  ",
        "      == transaction 2 begins",
        "   4  -- why it stands alone",
        "   5  -- part: find visits by it",
        "   6  CREATE INDEX visit_referred_by ON visit (referred_by);",
    ]


def test_one_transaction_is_not_marked() -> None:
    """It begins where the script begins."""
    assert lines("SELECT 1;\nSELECT 2;\n") == ["up.sql:", "   1  SELECT 1;", "   2  SELECT 2;"]


def test_what_stands_outside_of_any_is_said() -> None:
    """The server decides that, and a transaction begins behind it; also on one line."""
    alone = "CREATE INDEX CONCURRENTLY i ON his.a (b);"
    assert lines(f"SELECT 1;\n{alone} SELECT 2;\n") == [
        "up.sql, in 2 transactions and 1 step outside of any:",
        "      == transaction 1 begins",
        "   1  SELECT 1;",
        "      == outside of any transaction",
        "      == transaction 2 begins",
        f"   2  {alone} SELECT 2;",
    ]
    both = f"{alone}\n{alone.replace(' i ', ' j ')}\n"
    assert lines(both)[0] == "up.sql, in 2 steps outside of any transaction:"
    assert lines(f"{alone}\n") == [
        "up.sql, in 1 step outside of any transaction:",
        f"   1  {alone}",
    ]


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with a change of two transactions that nobody has rehearsed."""
    ops = found_ops(tmp_path_factory.mktemp("scripts") / "estate")
    run_sql(ops.root / "example.db", "CREATE TABLE visit (id INTEGER PRIMARY KEY);")
    write(ops, up=UP, down=DOWN)
    return ops


def test_show_has_the_marks(ops: Ops) -> None:
    """Of up.sql; down.sql is one transaction, and verify.sql is in the last of all."""
    shown = done(ops.run("change", "show", WORK)).stdout.splitlines()
    start = shown.index("up.sql, in 2 transactions:")
    assert shown[start + 1 : start + 3] == [
        "      == transaction 1 begins",
        "   1  -- step: who referred the patient",
    ]
    assert "down.sql:" in shown
    assert "verify.sql:" in shown


def test_a_program_reads_the_steps_of_each_part(ops: Ops) -> None:
    """With `--json`, of both ways."""
    document = json.loads(done(ops.run("change", "show", WORK, "--json")).stdout)
    assert document["scripts"] == {"up.sql": UP, "down.sql": DOWN, "verify.sql": VERIFY}
    assert document["parts"] == {
        "up.sql": [{"steps": [1], "alone": False}, {"steps": [2], "alone": False}],
        "down.sql": [{"steps": [1, 2], "alone": False}],
    }


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with a change of two transactions that was rehearsed."""
    ops = found_changes(tmp_path_factory.mktemp("parts") / "estate")
    write(ops, up=WITH_UNIQUE, **REST)
    request(ops)
    done(rehearse(ops))
    return ops


def test_a_second_part_that_fails_is_told_and_finished(signed: Ops, tmp_path: Path) -> None:
    """Status 3, and the list says that it is half done; once mended, it is resumed."""
    ops = copy_ops(signed, tmp_path / "estate")
    request(ops)  # what was signed is of the database where it lay
    approve(ops)
    alter(ops, "INSERT INTO visit VALUES (4, 'ICU', 'x')")
    ran = run(ops)
    assert ran.exit_code == ExitStatus.PARTLY
    assert ran.stderr.splitlines() == [
        f"error: {WORK} is half done on example: example: step 2 at line 6 breaks a constraint:"
        " SQLITE_CONSTRAINT_UNIQUE (visit.note)",
        f"hint: finish it: dbops change resume {WORK}, or take it back:"
        f" dbops change resume {WORK} --revert",
    ]
    assert _state(ops) == "half"
    alter(ops, "UPDATE visit SET note = 'y' WHERE id = 4")
    done(ops.run("change", "resume", WORK))
    assert _state(ops) == "run"


def test_no_end_of_a_part_outlives_the_part(signed: Ops, tmp_path: Path) -> None:
    """Rewritten as one transaction and rehearsed again, it has evidence of what is there now."""
    ops = copy_ops(signed, tmp_path / "estate")
    assert ends(ops) == ["rehearsed-example.up-1.diff"]
    write(ops, up=WITH_UNIQUE.replace("-- part: find visits by it\n", ""), **REST)
    request(ops)
    done(rehearse(ops))
    assert ends(ops) == []
    request(ops)
    approve(ops)
    assert done(ops.review("check", WORK)).stdout == f"{WORK}: complete\n"
    done(run(ops))
    assert _state(ops) == "run"


def ends(ops: Ops) -> list[str]:
    """The files of what a rehearsal found where parts ended."""
    return sorted(path.name for path in folder(ops).glob("rehearsed-*.*.diff"))


def _state(ops: Ops) -> str:
    """How `list` says that the change stands on its only database."""
    (change,) = json.loads(done(ops.run("change", "list", "--json")).stdout)["changes"]
    (place,) = change["databases"]
    return str(place["state"])
