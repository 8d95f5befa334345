"""`dbops repair show` says whether a host of the hospital vouches for the rows that it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.ops import Ops
from tests.cli.repairs import WORK, done, folder, found_repairs, write

NOBODY = "remark: nobody vouches for its evidence and rows: "


@pytest.fixture
def ops(tmp_path: Path) -> Ops:
    """An estate with a repair that was rehearsed."""
    ops = found_repairs(tmp_path / "estate")
    write(ops)
    done(ops.review("request", WORK, "--key", ops.key("wei"), "--yes"))
    done(ops.run("repair", "rehearse", WORK))
    return ops


def test_who_vouches_for_the_rows(ops: Ops) -> None:
    """Nobody does for other evidence than was signed, for other files, or for rows alone."""
    assert NOBODY not in done(ops.run("repair", "show", WORK)).stderr
    evidence, script = folder(ops) / "evidence.yml", folder(ops) / "repair.sql"
    true = evidence.read_bytes()
    evidence.write_bytes(true.replace(b"updated: 3", b"updated: 2"))
    assert NOBODY in done(ops.run("repair", "show", WORK)).stderr
    evidence.write_bytes(true)
    script.write_bytes(script.read_bytes().replace(b"ORT", b"ICU"))
    found = done(ops.run("repair", "show", WORK))
    assert f"{NOBODY}it is of other files than those that are there\n" in found.stderr
    evidence.unlink()
    assert NOBODY in done(ops.run("repair", "show", WORK, "--json")).stderr
