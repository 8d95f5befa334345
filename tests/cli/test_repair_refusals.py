"""What `dbops repair run` refuses: each to the letter, and each time the database is as it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dbops.audit.entry import Effect, Event
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import (
    AFTER,
    AUDITED,
    BEFORE,
    WORK,
    agreed,
    change,
    done,
    folder,
    found_repairs,
    mend,
    rows,
    said,
    sign,
    wards,
    write,
)
from tests.support.ledger import deeds_of, records_of

TRY_IT = (
    "hint: correct the script, or declare it in repair.yml; then request it anew, and:"
    f" dbops repair rehearse {WORK}\n"
)
CORRECT = "hint: correct the sql, and rehearse it\n"
SCHEMA = "hint: the rows or the script contradict the schema; nothing was changed\n"
SPELLED = "hint: names are spelled as the catalogue has them\n"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate that is ready for repairs."""
    return found_repairs(tmp_path_factory.mktemp("refusals") / "estate")


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


@dataclass(frozen=True)
class Wrong:
    """A repair that is approved as it is, and does not do what it says."""

    code: str
    status: int
    error: str
    hint: str
    said: dict[str, object] = field(default_factory=dict)
    prepare: str = ""


ROLLED_BACK = f"{WORK} was rolled back: "
WRONG = {
    "other counts": Wrong(
        "expect-differs",
        5,
        f"{ROLLED_BACK}visit: expected are 0 inserted, 2 updated, 0 deleted;"
        " declared rows show 0 inserted, 3 updated, 0 deleted",
        TRY_IT,
        {"expect": "update: 2"},
    ),
    "wider than declared": Wrong(
        "count-differs",
        5,
        f"{ROLLED_BACK}visit: declared rows show 0 inserted, 3 updated, 0 deleted;"
        " the engine counted 0 inserted, 4 updated, 0 deleted",
        TRY_IT,
        {"script": "UPDATE visit SET ward = 'ORT' WHERE ward <> 'ORT';\n"},
    ),
    "another column": Wrong(
        "column-not-permitted",
        5,
        f"{ROLLED_BACK}visit: column note changed in 2 rows and is not in may_change",
        TRY_IT,
        {"script": "UPDATE visit SET ward = 'ORT', note = 'n' WHERE ward = 'OLD';\n"},
    ),
    "a trigger that nobody declared": Wrong(
        "undeclared-write",
        5,
        f"{ROLLED_BACK}visit_audit was written (3 inserted, 0 updated, 0 deleted)"
        " and is not declared",
        TRY_IT,
        prepare=AUDITED,
    ),
    "a condition": Wrong(
        "condition-failed",
        5,
        f"{ROLLED_BACK}the condition does not hold: the ward is open",
        TRY_IT,
        {
            "more": "before: [{check: the ward is open, equals: 1,"
            " sql: \"SELECT count(*) FROM place WHERE code = 'X'\"}]\n"
        },
    ),
    "no key": Wrong(
        "no-key",
        5,
        "loose has neither a primary key nor a unique key without NULL,"
        " so its rows cannot be told apart",
        "hint: give the table a primary key first, by a reviewed change\n",
        {
            "table": "loose",
            "where": "v = 'a'",
            "may_change": "v",
            "script": "UPDATE loose SET v = 'c' WHERE v = 'a';\n",
            "expect": "update: 1",
        },
    ),
    "no such table": Wrong(
        "no-table", 10, "example has no table visits", SPELLED, {"table": "visits"}
    ),
    "no such column": Wrong(
        "no-column", 10, "visit of example has no column wart", SPELLED, {"may_change": "wart"}
    ),
    "no such column in a predicate": Wrong(
        "statement-invalid",
        1,
        "example: the predicate at line 12 fails: it names a column that is not there",
        CORRECT,
        {"where": "wart = 'OLD'"},
    ),
    "no such column in the script": Wrong(
        "statement-invalid",
        1,
        "example: the statement at line 1 fails: it names a column that is not there",
        CORRECT,
        {"script": "UPDATE visit SET wart = 'ORT' WHERE ward = 'OLD';\n"},
    ),
    "no sql": Wrong(
        "statement-invalid",
        1,
        "example: the statement at line 1 fails: syntax error",
        CORRECT,
        {"script": "UPDAT visit;\n"},
    ),
    "a unique key": Wrong(
        "constraint-violated",
        1,
        "example: the statement at line 1 breaks a constraint:"
        " SQLITE_CONSTRAINT_UNIQUE (visit.patient)",
        SCHEMA,
        {"script": "UPDATE visit SET patient = '甲' WHERE ward = 'OLD';\n"},
    ),
    "a foreign key": Wrong(
        "constraint-violated",
        1,
        "example: the statement at line 1 breaks a constraint: SQLITE_CONSTRAINT_FOREIGNKEY",
        SCHEMA,
        {"script": "UPDATE visit SET ward = 'NON' WHERE ward = 'OLD';\n"},
    ),
    "a rule of the lint": Wrong(
        "repair-lint",
        5,
        f"{WORK}: repair.sql line 1: REP-TX: BEGIN begins or ends a transaction (and 1 more)",
        f"hint: dbops repair check {WORK}\n",
        {"script": "BEGIN; UPDATE visit SET ward = 'ORT' WHERE ward = 'OLD'; COMMIT;\n"},
    ),
    "the same, accepted": Wrong(
        "transaction-control",
        5,
        "a statement is refused: it would end or nest the transaction",
        "hint: a repair reads and writes rows only\n",
        {"script": "COMMIT;\n", "more": "accepted: [{rule: REP-TX, why: it is short}]\n"},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_as_declared_is_refused(ops: Ops, name: str) -> None:
    """Rolled back, no bundle is left, the ledger has the code, and the approval still counts."""
    wrong = WRONG[name]
    change(ops, wrong.prepare)
    agreed(ops, **wrong.said)
    before = rows(ops, "SELECT * FROM visit")
    for _ in range(2):
        assert said(mend(ops)) == (wrong.status, f"error: {wrong.error}\n{wrong.hint}")
    assert rows(ops, "SELECT * FROM visit") == before
    assert rows(ops, "SELECT count(*) FROM dbops_run") == "[[0]]"
    assert not list((ops.root / "state").rglob("*.age"))
    outcomes = [each.outcome for each in deeds_of(ops.root, Event.REPAIR_RUN) if each.outcome]
    recorded = [(each.code, each.effect) for each in outcomes]
    assert recorded == [(wrong.code, Effect.NONE)] * 2


def test_corrected_and_approved_anew_it_runs(ops: Ops) -> None:
    """After a refusal the author mends the manifest, asks again, and it is done."""
    agreed(ops, expect="update: 2")
    assert mend(ops).exit_code == 5
    write(ops)
    refused = mend(ops)
    assert refused.exit_code == 5
    assert "differs from what is committed" in refused.stderr
    sign(ops)
    done(mend(ops))
    assert wards(ops) == AFTER


def test_more_rows_than_the_limit(ops: Ops) -> None:
    """The manifest itself says so before anything is signed."""
    write(ops, limit=2)
    checked = ops.run("repair", "check", WORK)
    assert (checked.exit_code, checked.stdout) == (
        4,
        f"{WORK}: repairs/{WORK}/repair.yml line 15: limits.rows: 3 rows are expected,"
        " and 2 allowed\n"
        "  hint: limits.rows is the most that may be written in all\n",
    )


def test_somebody_else_holds_the_lock(ops: Ops) -> None:
    """Within the declared wait it is given up, and the same command works later."""
    agreed(ops)
    manifest = folder(ops) / "repair.yml"
    text = manifest.read_text("utf-8").replace("rows: 10}", "rows: 10, lock_wait: 1s}")
    manifest.write_text(text, "utf-8")
    sign(ops)
    with holder(ops.root / "example.db"):
        assert said(mend(ops)) == (
            11,
            "error: example is locked by somebody else and stayed so for 1 second\n"
            f"hint: see who has it open: fuser -v {ops.root}/example.db\n",
        )
    done(mend(ops))


def test_before_the_database_is_prepared(ops: Ops) -> None:
    """The marker table is missing: nothing runs, and the hint says how it comes about."""
    change(ops, "DROP TABLE dbops_run")
    agreed(ops)
    assert said(mend(ops)) == (
        5,
        "error: example has no table dbops_run, in which a repair notes that it committed\n"
        "hint: have it made, once: dbops repair prepare example\n",
    )
    assert wards(ops) == BEFORE


def test_without_a_rule_for_repairs(ops: Ops) -> None:
    """A policy that says nothing of repairs allows none."""
    agreed(ops)
    policy = ops.root / "trust" / "policy.toml"
    text = policy.read_text("utf-8").replace('["repair", "change"]', '["change"]')
    policy.write_text(text, "utf-8")
    assert said(mend(ops)) == (
        5,
        f"error: {WORK} may not run: the policy has no rule for a repair of risk low on example\n"
        f"hint: dbops review show {WORK}\n",
    )
    (record,) = records_of(ops.root, Event.REPAIR_RUN)
    assert record.code == "policy-no-rule"


def test_the_database_of_the_alias_is_another_one(ops: Ops) -> None:
    """The approval is of the database that was there when it was signed."""
    agreed(ops)
    config = ops.root / "dbops.toml"
    other = ops.root / "other.db"
    change(ops, f"VACUUM INTO '{other}'")
    text = config.read_text("utf-8").replace('"example.db"', f'"{other.name}"')
    config.write_text(text, "utf-8")
    refused = mend(ops)
    assert refused.exit_code == 5
    assert "example is another database now than when it was signed" in refused.stderr


_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(database: Path) -> Iterator[None]:
    """Meanwhile another process is writing to the database."""
    words = [sys.executable, "-c", _HOLD, str(database)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.stdin.close()
