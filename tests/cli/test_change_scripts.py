"""`dbops change show` says where each transaction of a change begins."""

from __future__ import annotations

import json

import pytest

from dbops.change.script import parse_steps
from dbops.cli.change_scripts import script_lines
from tests.change.rules.judging import parts
from tests.cli.changes import VERIFY, WORK, write
from tests.cli.ops import Ops, found_ops
from tests.cli.repairs import done
from tests.support.estate import run_sql

UP = """\
-- step: who referred the patient
ALTER TABLE visit ADD COLUMN referred_by TEXT;

-- why it stands alone
-- part: find visits by it
CREATE INDEX visit_referred_by ON visit (referred_by);
"""
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
