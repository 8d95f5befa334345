"""`dbops repair rehearse --on production-readonly`: a look at the database itself, and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import (
    WORK,
    change,
    done,
    folder,
    found_repairs,
    mend,
    rows,
    said,
    sign,
    undo_agreed,
    wards,
    write,
)
from tests.cli.test_repair_refusals import holder

LOOK = ("repair", "rehearse", WORK, "--on", "production-readonly")
OPEN = (
    "before: [{check: the ward is open, equals: 1,"
    " sql: \"SELECT count(*) FROM place WHERE code = 'ORT'\"}]\n"
)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate that is ready for repairs."""
    return found_repairs(tmp_path_factory.mktemp("preview") / "estate")


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def test_watched_rows_are_counted_now(ops: Ops) -> None:
    """By nobody's leave, beside a writer, and without a trace in the database or the folder."""
    write(ops, more=OPEN)
    change(ops, "DELETE FROM visit WHERE id = 1")
    everything, files = wards(ops), sorted(folder(ops).iterdir())
    data = (ops.root / "example.db").read_bytes()
    with holder(ops.root / "example.db"):
        seen = done(ops.run(*LOOK)).stdout
    assert re.sub(r"SQLite [0-9.]+", "SQLite", seen) == (
        "example (SQLite), nothing written, nothing locked\n"
        "visit: 2 rows watched now; declared: 0 inserted, 3 updated, 0 deleted\n"
    )
    told = json.loads(done(ops.run(*LOOK, "--json")).stdout)
    assert (told["watched"], told["unmet"]) == ({"visit": 2}, [])
    assert (wards(ops), sorted(folder(ops).iterdir())) == (everything, files)
    assert (ops.root / "example.db").read_bytes() == data
    assert rows(ops, "SELECT count(*) FROM dbops_run") == "[[0]]"


def test_a_condition_that_would_stop_the_run(ops: Ops) -> None:
    """It is told by its title before anybody signs."""
    write(ops, more=OPEN.replace("'ORT'", "'NEW'"))
    seen = done(ops.run(*LOOK)).stdout
    told = "the condition does not hold: the ward is open"
    assert seen.endswith(f"not as it should be before: {told}\n")
    assert json.loads(done(ops.run(*LOOK, "--json")).stdout)["unmet"] == [told]


@pytest.mark.parametrize("kind", ["batches", "undo"])
def test_what_has_no_one_set_of_rows(ops: Ops, kind: str) -> None:
    """An undo reads its bundle, and batches come one after the other: they are rehearsed."""
    work = WORK
    if kind == "batches":
        part = "id BETWEEN :batch_first AND :batch_last"
        script = f"UPDATE visit SET ward = 'ORT' WHERE {part};\n"
        write(ops, where=part, script=script, more="batch: {table: visit, rows: 2}\n")
    else:
        write(ops)
        sign(ops)
        done(mend(ops))
        work = "2026-118-undo"
        undo_agreed(ops, work)
    assert said(ops.run(*LOOK[:2], work, *LOOK[3:])) == (
        2,
        f"error: {work} is an undo or runs in batches: there is no one set of rows to count\n"
        f"hint: dbops repair rehearse {work}\n",
    )


def test_an_undo_needs_signatures_of_its_own(ops: Ops) -> None:
    """Those of the repair do not allow to take it back."""
    write(ops)
    sign(ops)
    done(mend(ops))
    after = wards(ops)
    undo = "2026-118-undo"
    done(ops.run("repair", "new", undo, "--undo", WORK, "--author", "wei@contractor"))
    ops.commit()
    refused = ops.run("repair", "undo", undo, "--yes")
    assert refused.exit_code == 5
    assert f"{undo} may not run: the request of the author, wei@contractor" in refused.stderr
    done(ops.review("request", undo, "--key", ops.key("wei"), "--yes"))
    ops.commit()
    refused = ops.run("repair", "undo", undo, "--yes")
    assert refused.exit_code == 5
    assert "approval of it-department missing" in refused.stderr
    assert wards(ops) == after
