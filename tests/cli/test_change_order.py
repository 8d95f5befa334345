"""When a change may run: window, rings, fresh backups, rehearsals, and what broke off."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dbops.change.step import Direction
from dbops.cli.change_run import refuse_not_now, run_reviewed_change
from dbops.cli.changing import read_change
from dbops.errors import DbopsError, Refused
from tests.cli import changes
from tests.cli.changes import WORK, found_changes, request, run, write
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, said, wiring_of


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate whose newest backup is proven, with a change that is rehearsed."""
    ops = found_changes(tmp_path_factory.mktemp("order") / "estate")
    write(ops)
    request(ops)
    done(changes.rehearse(ops))
    return ops


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy in which it is signed."""
    found = copy_ops(founded, tmp_path / "estate")
    request(found)
    changes.approve(found)
    return found


def test_no_change_without_a_fresh_proven_backup(ops: Ops) -> None:
    """The policy says how old it may be."""
    wiring = wiring_of(ops)
    late = replace(wiring, clock=lambda: wiring.clock() + timedelta(hours=27))
    with pytest.raises(Refused) as caught:
        refuse_not_now(late, read_change(wiring, WORK), "example", Direction.UP)
    assert caught.value.message == (
        "the last proven backup of example is older than the 26h of the policy"
    )
    assert caught.value.hint == (
        "dbops backup run example && dbops backup verify example --level proven"
    )


def test_a_change_runs_in_its_window_only(ops: Ops) -> None:
    """The window is said in words."""
    window = '{days: [sun], from: "02:00", to: "02:01", zone: Asia/Shanghai}'
    write(ops, more=f"{changes.PERSONAL}\nwindow: {window}")
    wiring = wiring_of(ops)
    found = read_change(wiring, WORK)
    assert found.change.window is not None
    monday = replace(wiring, clock=lambda: datetime(2026, 11, 23, 4, 0, tzinfo=UTC))
    with pytest.raises(Refused) as caught:
        refuse_not_now(monday, found, "example", Direction.DOWN)
    assert caught.value.message == (
        f"{WORK} may run in its window only: sun 02:00-02:01 Asia/Shanghai"
    )
    sunday = replace(wiring, clock=lambda: datetime(2026, 11, 21, 18, 0, 30, tzinfo=UTC))
    refuse_not_now(sunday, found, "example", Direction.DOWN)


def test_what_was_not_rehearsed_is_refused(ops: Ops) -> None:
    """The evidence is missing, whatever people signed."""
    for path in changes.folder(ops).glob("rehearsed-*"):
        path.unlink()
    for name in ("evidence.yml", "evidence.yml.sig"):
        (changes.folder(ops) / name).unlink()
    request(ops)
    changes.approve(ops)
    status, text = said(run(ops))
    assert status == 5
    assert "the policy asks for evidence, and there is none" in text


def test_a_run_that_was_killed_is_settled(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed behind COMMIT: the ledger knows nothing, and the journal in the database does."""
    wiring = wiring_of(ops)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dbops.cli.baselines.keep_schema", die)
        with pytest.raises(KeyboardInterrupt):
            run_reviewed_change(wiring, read_change(wiring, WORK), "example", Direction.UP)
    listed = done(ops.run("change", "list")).stdout
    assert "half" in listed
    assert f"dbops change resume {WORK}" in listed
    settled = done(ops.run("change", "resume", WORK))
    assert settled.stdout.startswith(f"{WORK} on example (ledger entry ")
    assert settled.stdout.endswith("): it took place, to its end\n")
    assert " run " in done(ops.run("change", "list")).stdout
    assert done(ops.run("change", "drift", "example")).stdout.startswith("example: as recorded")
    again = done(ops.run("change", "resume", WORK))
    assert again.stderr == (
        f"nothing is open: every run of {WORK} in this host's ledger has a known end\n"
    )


def test_what_was_altered_behind_a_killed_run_is_not_recorded(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column of the change is no longer what it made: whoever settles the run does not vouch."""
    wiring = wiring_of(ops)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dbops.cli.baselines.keep_schema", die)
        with pytest.raises(KeyboardInterrupt):
            run_reviewed_change(wiring, read_change(wiring, WORK), "example", Direction.UP)
    changes.alter(
        ops,
        "DROP INDEX visit_referred_by; CREATE UNIQUE INDEX visit_referred_by ON visit (id);",
    )
    done(ops.run("change", "resume", WORK))
    assert "no schema of example was ever recorded" in ops.run("change", "drift", "example").stderr


def test_a_way_back_does_not_grow_old(ops: Ops) -> None:
    """Eight days later the change is taken back: its rehearsal would be too old for a run."""
    done(run(ops))
    request(ops)
    changes.approve(ops)
    wiring = wiring_of(ops)
    late = replace(wiring, clock=lambda: wiring.clock() + timedelta(days=8))
    found = read_change(wiring, WORK)
    with pytest.raises(Refused) as caught:
        run_reviewed_change(late, found, "example", Direction.UP)
    assert caught.value.code == "evidence-old"
    assert run_reviewed_change(late, found, "example", Direction.DOWN).direction is Direction.DOWN


def test_a_resume_takes_no_other_files(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on is what was approved, or nothing."""
    wiring = wiring_of(ops)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dbops.cli.baselines.keep_schema", die)
        with pytest.raises(KeyboardInterrupt):
            run_reviewed_change(wiring, read_change(wiring, WORK), "example", Direction.UP)
    script = changes.folder(ops) / "up.sql"
    script.write_text(script.read_text("utf-8") + "-- \n", "utf-8")
    refused = ops.run("change", "resume", WORK)
    assert refused.exit_code == 5
    assert f"the files of {WORK} are not those that ran on example" in refused.stderr


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (("run", WORK, "--ring", "prod"), 10, f'{WORK} has no ring "prod"'),
        (("run", WORK, "--database", "lab"), 10, f"{WORK} is not of lab"),
        (("show", "2026-0-none"), 10, "there is no work 2026-0-none"),
        (("check",), 2, "name a change, or say --all"),
        (("record", "example"), 2, "draw a change up, with --id and --author"),
        (("new", "x", "--title", "t", "--author", "a@b"), 2, "no database is named"),
        (("drift", "exmaple"), 10, 'the estate has no database "exmaple"'),
    ],
)
def test_mistakes_are_told(founded: Ops, words: tuple[str, ...], status: int, error: str) -> None:
    """One line that says what is wrong, one that says what to type."""
    result = founded.run("change", *words)
    assert result.exit_code == status
    assert error in result.stderr
    assert "\nhint: " in result.stderr


def test_a_ring_and_a_database_of_another_are_not_both_meant(founded: Ops, tmp_path: Path) -> None:
    """Neither wins: nothing runs, and the hint of a revert is a revert."""
    ops = copy_ops(founded, tmp_path / "estate")
    rings = "rings: [{name: test, databases: [example]}, {name: prod, databases: [other]}]"
    write(ops, databases="example, other", more=f"{changes.PERSONAL}\n{rings}")
    refused = changes.run(ops, WORK, "--ring", "test", "--database", "other")
    assert refused.exit_code == 10
    assert refused.stderr == (
        f"error: ring test of {WORK} has no database other\n"
        "hint: it has example; leave --ring or --database out\n"
    )
    unnamed = changes.revert(ops)
    assert unnamed.exit_code == 5
    assert f"hint: dbops change revert {WORK} --ring prod\n" in unnamed.stderr


def test_errors_of_the_gate_are_dbops_errors(ops: Ops) -> None:
    """An approval that is not there is refused, and the ledger has the attempt."""
    for path in (changes.folder(ops) / "approvals").glob("li*"):
        path.unlink()
    ops.commit()
    wiring = wiring_of(ops)
    with pytest.raises(DbopsError) as caught:
        run_reviewed_change(wiring, read_change(wiring, WORK), "example", Direction.UP)
    assert caught.value.status == 5
