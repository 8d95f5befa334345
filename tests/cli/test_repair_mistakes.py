"""Mistakes of a first day with repairs: one `error:` line, one `hint:` line, the right status."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dbops.cli.root import main
from tests.cli.mistakes import Mistake
from tests.cli.repair_mistakes import REPAIR_MISTAKES
from tests.support.estate import found_test_estate, take_backup


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working estate with one backup."""
    estate = found_test_estate(tmp_path_factory.mktemp("mistakes") / "estate")
    take_backup(estate)
    return estate.root


@pytest.fixture
def root(founded: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return shutil.copytree(founded, tmp_path / "estate", symlinks=True)


@pytest.mark.parametrize("mistake", REPAIR_MISTAKES, ids=lambda mistake: mistake.name)
def test_mistake_gets_an_error_and_a_hint(
    root: Path, mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two lines on standard error, exactly these; the same in JSON; nothing is drawn up."""
    monkeypatch.chdir(root)
    mistake.prepare(root)
    before = sorted((root / "ops").rglob("*"))
    words = mistake.words.split()
    done = CliRunner().invoke(main, words, prog_name="dbops")
    assert (done.exit_code, done.stdout, done.stderr) == (
        mistake.status,
        "",
        f"error: {mistake.error}\nhint: {mistake.hint}\n",
    )
    if mistake.json:
        told = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)["error"]
        assert told == {"code": mistake.code, "message": mistake.error, "hint": mistake.hint}
    assert sorted((root / "ops").rglob("*")) == before
