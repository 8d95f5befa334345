"""`dbops repair prepare` as people type it: a change is drawn up, approved, and run once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.ops import Ops, copy_ops, found_ops

ID = "2026-101-prepare"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    return found_ops(tmp_path_factory.mktemp("prepare") / "estate")


@pytest.fixture
def ops(made: Ops, tmp_path: Path) -> Ops:
    return copy_ops(made, tmp_path / "estate")


def drawn_up(ops: Ops) -> Path:
    done = ops.run("repair", "prepare", "example", "--id", ID, "--author", "wei@contractor")
    folder = ops.tree / "changes" / ID
    assert (done.exit_code, done.stdout) == (0, f"{folder}\n"), done.output
    return folder


def test_from_the_draft_to_the_database(ops: Ops) -> None:
    """Nothing runs before it is approved; then exactly it, once, and the ledger says so."""
    folder = drawn_up(ops)
    assert sorted(path.name for path in folder.iterdir()) == ["change.yml", "down.sql", "up.sql"]
    run = ("repair", "prepare", "example", "--review", ID, "--yes")
    ops.commit()
    refused = ops.run(*run)
    assert refused.exit_code == 5
    assert f"{ID} may not run: the request of the author, wei@contractor" in refused.stderr
    for verb, person in (("request", "wei"), ("approve", "li")):
        signed = ops.review(verb, ID, "--key", ops.key(person), "--yes")
        assert signed.exit_code == 0, signed.output
    ops.commit()
    done = ops.run(*run)
    assert (done.exit_code, done.stdout) == (0, "example is ready for repairs\n"), done.output
    again = ops.run(*run)
    assert again.exit_code == 5
    assert "it was used for a run already" in again.stderr
    log = ops.run("audit", "log", "--event", "repair.prepare", "--json").stdout
    assert log.count('"repair.prepare"') >= 4


def test_one_thing_at_a_time(ops: Ops) -> None:
    """A change is drawn up or run, and whoever draws it up says who asks."""
    for words in (
        (),
        ("--id", ID),
        ("--review", ID, "--table", "visit"),
        ("--review", ID, "--read", "ward"),
        ("--id", ID, "--review", ID),
    ):
        done = ops.run("repair", "prepare", "example", *words)
        assert done.exit_code == 2
        assert done.stderr == (
            "error: draw a change up, with --id and --author, or run an approved one,"
            " with --review\nhint: dbops repair prepare --help\n"
        )
