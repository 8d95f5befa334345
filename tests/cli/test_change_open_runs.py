"""While a run of a change has no known end, nothing is taken for granted beside it."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import Event, Phase
from dbops.change.stage import Moment, Stage
from dbops.cli.baselines import recorded_alone
from dbops.errors import Partly, Unreachable
from tests.cli.changes import WORK, alter, approve, folder, rehearse, request
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, said, wiring_of
from tests.cli.settling import at, broken_off, has_run, killed, resume_watched, run_watched, signed
from tests.support.ledger import entries_of

__all__ = ["signed"]
AGAIN = "2026-122-again"
LOST = "DROP TABLE dbops_change"
RECORD = ("change", "record", "example")
DRAWN_UP = (*RECORD, "--id", "2026-123-third", "--author", "wei@contractor")


@pytest.fixture(scope="module")
def half(signed: Ops, tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """A run was killed behind its first part, the journal is lost, a baseline was signed before."""
    found = copy_ops(signed, tmp_path_factory.mktemp("half") / "estate")
    done(found.run(*RECORD, "--id", AGAIN, "--author", "wei@contractor"))
    for work in (AGAIN, WORK):
        request(found, work)
        approve(found, work)
    killed(lambda: run_watched(found, at(Stage.COMMITTED)))
    alter(found, LOST)
    return found


@pytest.fixture(scope="module")
def begun(signed: Ops, tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """A run was killed before it did anything."""
    return broken_off(signed, tmp_path_factory.mktemp("begun") / "estate", Stage.BEGUN)


def entry_of(ops: Ops, event: Event) -> int:
    """The last intent of that sort."""
    return next(
        entry.sequence
        for entry in reversed(entries_of(ops.root))
        if entry.draft.event is event and entry.draft.phase is Phase.INTENT
    )


def nobody_knows(ops: Ops) -> tuple[int, str]:
    """What is said of the run."""
    return (
        5,
        f"error: nobody knows how the last run of {WORK} on example ended (ledger entry"
        f" {entry_of(ops, Event.CHANGE_RUN)})\n"
        f"hint: find out first: dbops change resume {WORK}\n",
    )


def close(ops: Ops, event: Event) -> tuple[int, str]:
    """What a person who explains the last intent of that sort is told."""
    entry = str(entry_of(ops, event))
    result = ops.run("audit", "close", entry, "--reason", "the host lost power, ticket 311")
    return result.exit_code, result.stderr


def test_no_baseline_is_drawn_up_of_what_may_be_half_done(half: Ops) -> None:
    """The ledger knows of the run where the journal is lost."""
    assert said(half.run(*DRAWN_UP)) == nobody_knows(half)
    assert not folder(half, "2026-123-third").exists()


def test_no_baseline_is_recorded_of_what_may_be_half_done(half: Ops) -> None:
    """Nobody is asked about it; who says yes beforehand is refused the same way."""
    assert said(half.run(*RECORD, "--review", AGAIN)) == nobody_knows(half)
    assert said(half.run(*RECORD, "--review", AGAIN, "--yes")) == nobody_knows(half)


def test_nobody_is_asked_about_a_change_that_is_no_baseline(signed: Ops) -> None:
    """Whoever names the wrong one hears that, and not a question first."""
    assert said(signed.run(*RECORD, "--review", WORK)) == (
        5,
        f"error: {WORK} does not record the schema of example\n"
        "hint: draw one up: dbops change record example --id ID --author PRINCIPAL\n",
    )


def test_what_the_ledger_knows_to_be_half_done_is_said_so(signed: Ops, tmp_path: Path) -> None:
    """A run that stopped behind a part left an outcome: how it ended is known."""
    ops = copy_ops(signed, tmp_path / "estate")
    request(ops)
    approve(ops)

    def in_the_way(moment: Moment) -> None:
        if moment.stage is Stage.COMMITTED:
            alter(ops, "CREATE INDEX visit_note ON visit (ward)")

    with pytest.raises(Partly):
        run_watched(ops, in_the_way)
    alter(ops, LOST)
    assert said(ops.run(*DRAWN_UP)) == (
        5,
        f"error: {WORK} is half done on example (ledger entry {entry_of(ops, Event.CHANGE_RUN)})\n"
        f"hint: finish it: dbops change resume {WORK}, or take it back: dbops change resume {WORK}"
        " --revert\n",
    )


def test_a_run_without_an_end_is_told_where_nothing_differs(begun: Ops) -> None:
    """What it may do still is no difference yet; --quiet does not hide it."""
    result = done(begun.run("change", "drift", "example", "--quiet"))
    first, second = result.stdout.splitlines()
    assert first.startswith("example: as recorded ")
    assert second == (
        f"  remark: a run of {WORK} has not come to an end: dbops change resume {WORK}"
    )


def test_the_log_says_how_much_differed(begun: Ops) -> None:
    """Whoever reads it need not look at each entry."""
    done(begun.run("change", "drift", "example"))
    row = done(begun.run("audit", "log", "--last", "1")).stdout.splitlines()[-1]
    assert "  change.drift  " in row
    assert row.endswith("  0 differences")


def test_a_lost_baseline_is_recorded_behind_the_run(begun: Ops) -> None:
    """While it is open recording is refused, so that the hint is to settle it."""
    (kept,) = (begun.root / "state" / "schemas").rglob("*.schema")
    aside = begun.root / "aside"
    kept.rename(aside)
    status, text = said(begun.run("change", "drift", "example"))
    aside.rename(kept)
    message, hint = text.splitlines()
    assert (status, message.endswith(" does not lie on this host as it was")) == (1, True)
    assert hint == (
        f"hint: first, a run of {WORK} has not come to an end: dbops change resume {WORK}"
    )


def test_evidence_that_ran_stays_while_a_run_is_open(half: Ops) -> None:
    """What settles it is compared with what was rehearsed; nothing is restored either."""
    before = {path: path.read_bytes() for path in folder(half).rglob("*") if path.is_file()}
    count = len(entries_of(half.root))
    assert said(rehearse(half)) == nobody_knows(half)
    assert {path: path.read_bytes() for path in before} == before
    assert len(entries_of(half.root)) == count


def test_a_rehearsal_of_what_has_run_is_not_what_ran(signed: Ops, tmp_path: Path) -> None:
    """The backup may be from before the run: then the folder gets other evidence."""
    ops = has_run(signed, tmp_path / "estate")
    result = done(rehearse(ops))
    assert (
        f"remark: {WORK} has run on example (ledger entry {entry_of(ops, Event.CHANGE_RUN)}):"
        " what is rehearsed now is not what ran\n"
    ) in result.stderr


def test_a_person_does_not_explain_what_the_database_knows(half: Ops) -> None:
    """The intent stays open, and the hint is what finds out."""
    entry = entry_of(half, Event.CHANGE_RUN)
    assert close(half, Event.CHANGE_RUN) == (
        5,
        f"error: entry {entry} is not for a person to explain: example can be asked what became of"
        f" {WORK}\nhint: the database knows what became of it: dbops change resume {WORK}\n",
    )


def test_nor_what_a_resume_did(signed: Ops, tmp_path: Path) -> None:
    """The next resume finds out, and ends both."""
    ops = broken_off(signed, tmp_path / "estate", Stage.COMMITTED)
    killed(lambda: resume_watched(ops, at(Stage.COMMITTED)))
    status, text = close(ops, Event.CHANGE_RESUME)
    assert (status, text.splitlines()[1]) == (
        5,
        f"hint: the database knows what became of it: dbops change resume {WORK}",
    )
    done(ops.run("change", "resume", WORK))
    assert "is not an intent that is open" in close(ops, Event.CHANGE_RESUME)[1]


def test_a_person_explains_what_nobody_can_ask(signed: Ops, tmp_path: Path) -> None:
    """Where the folder is gone no resume finds out; what was closed stands in nobody's way."""
    ops = broken_off(signed, tmp_path / "estate", Stage.BEGUN)
    shutil.rmtree(folder(ops))
    ops.commit()
    assert close(ops, Event.CHANGE_RUN) == (0, "")
    done(ops.run(*DRAWN_UP))


def test_a_database_that_is_gone_has_nothing_to_say(half: Ops, tmp_path: Path) -> None:
    """A name that leads to another database by now is not the one that was worked on."""
    ops = copy_ops(half, tmp_path / "estate")
    done(ops.run(*DRAWN_UP))
    assert close(ops, Event.CHANGE_RUN) == (0, "")


def test_two_do_not_record_at_once(signed: Ops) -> None:
    """Who comes second waits for a while, and hears who is at it."""
    wiring = wiring_of(signed)
    second = recorded_alone(wiring, "example", timedelta())
    with recorded_alone(wiring, "example"), recorded_alone(wiring, "other"):
        with pytest.raises(Unreachable) as caught:
            second.__enter__()
    assert (caught.value.code, caught.value.message) == (
        "change-running",
        "another process is recording the schema of example, or runs a change there",
    )
    with recorded_alone(wiring, "example", timedelta()):
        pass
