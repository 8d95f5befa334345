"""What another host, another process or a lost journal makes of a change that broke off."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import Draft, Effect, Event, Label, Result
from dbops.change.attest import attested_files
from dbops.change.rehearsed_files import made_by_rehearsal
from dbops.change.resume import Onward
from dbops.change.stage import Moment, Stage
from dbops.change.step import Direction
from dbops.cli.change_settling import settle
from dbops.cli.change_unsettled import unsettled_here
from dbops.cli.changing import read_change
from dbops.cli.rehearsal_ground import evidence_signer
from dbops.review.work import EVIDENCE, EVIDENCE_SIGNATURE
from tests.cli.changes import WORK, alter, approve, folder, request, run
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, said, wiring_of
from tests.cli.settling import (
    at,
    broken_off,
    elsewhere,
    forget,
    has_run,
    killed,
    open_intents,
    outcome,
    resume_watched,
    resumes,
    run_watched,
    signed,
    state,
)
from tests.support.ledger import deeds_of, lines_of

__all__ = ["signed"]


@pytest.fixture
def ops(signed: Ops, tmp_path: Path) -> Ops:
    """A run was killed behind the first part."""
    return broken_off(signed, tmp_path / "estate", Stage.COMMITTED)


@pytest.fixture
def begun(signed: Ops, tmp_path: Path) -> Ops:
    """A run was killed before anything was committed."""
    return broken_off(signed, tmp_path / "estate", Stage.BEGUN)


def ran(estate: Ops) -> Draft:
    """What the ledger says of its only run, last."""
    (deed,) = deeds_of(estate.root, Event.CHANGE_RUN)
    return outcome(deed)


def test_what_another_host_did_is_not_this_ones_run(begun: Ops) -> None:
    """It did not take place here; what the change came to since is taken over beside it."""
    with elsewhere(begun):
        request(begun)
        approve(begun)
        done(run(begun))
    (left,) = unsettled_here(wiring_of(begun))
    assert left.recorded is not None
    assert done(begun.run("change", "resume", WORK)).stdout == (
        f"{WORK} on example (ledger entry {left.recorded.sequence}): it took place, to its end\n"
        f"{WORK} on example (not in this host's ledger): it took place, to its end\n"
    )
    assert (ran(begun).result, ran(begun).effect) == (Result.DONE, Effect.NONE)
    assert ran(begun).names[Label.DIRECTION] == "up"
    assert state(begun) == "run"
    assert open_intents(begun) == []
    assert "no journal says otherwise" in done(begun.run("change", "resume", WORK)).stderr
    assert said(begun.run("change", "drift", "example"))[0] == 0


def test_what_another_host_took_back_is_gone_here(signed: Ops, tmp_path: Path) -> None:
    """A way back that died here half way, and was brought to its end there."""
    found = has_run(signed, tmp_path / "estate")
    request(found, takes_back=True)
    approve(found)
    killed(lambda: run_watched(found, at(Stage.COMMITTED), Direction.DOWN))
    with elsewhere(found):
        done(found.run("change", "resume", WORK))
    told = done(found.run("change", "resume", WORK)).stdout
    assert told.splitlines()[0].endswith("): it was taken back; the schema is as it was")
    assert state(found) == "reverted"
    assert open_intents(found) == []


def test_a_run_says_who_has_it(signed: Ops, tmp_path: Path) -> None:
    """What another host ran, of which this one's ledger has nothing open."""
    found = has_run(signed, tmp_path / "estate")
    forget(found)
    request(found)
    approve(found)
    assert said(run(found)) == (
        5,
        f"error: {WORK} has run on this database already\nhint: another host did that; have this"
        f" host's ledger know it: dbops change resume {WORK}\n",
    )


def test_nothing_that_it_makes_is_there(begun: Ops) -> None:
    """Of a run that the journal has nothing of, and that a rehearsal tells the marks of."""
    told = done(begun.run("change", "resume", WORK)).stdout
    assert told.endswith("): it did not take place; nothing that it makes is there\n")
    assert (ran(begun).effect, ran(begun).names[Label.DIRECTION]) == (Effect.NONE, "down")


def test_a_lost_journal_is_no_proof(ops: Ops) -> None:
    """What was made is there: it took place, and only the journal is not there any more."""
    alter(ops, "DROP TABLE dbops_change;")
    status, text = said(ops.run("change", "resume", WORK))
    assert (status, text.splitlines()[0]) == (
        5,
        f"error: the journal of example has nothing of {WORK}, and what it makes is there:"
        " 2 differences: column `code` of `room` is new: TEXT; table `room` is new",
    )
    assert open_intents(ops) == [Event.CHANGE_RUN]
    (deed,) = resumes(ops)
    assert (outcome(deed).result, outcome(deed).code) == (Result.REFUSED, "change-journal")


def test_what_is_gone_with_the_journal_is_said_to_be(signed: Ops, tmp_path: Path) -> None:
    """The ledger knows that a part was committed; others have taken it away, and all trace."""
    ops = copy_ops(signed, tmp_path / "estate")
    request(ops)
    approve(ops)

    def stopped(moment: Moment) -> None:
        if moment.stage is Stage.COMMITTED:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_watched(ops, stopped)
    alter(ops, "DROP TABLE dbops_change; DROP TABLE room;")
    told = done(ops.run("change", "resume", WORK)).stdout
    assert told.endswith(
        "): by the ledger some of it was done; it is gone, and so is what the journal had of it:"
        " others took it away\n"
    )
    assert (ran(ops).effect, ran(ops).names[Label.CAUSE]) == (Effect.NONE, "change-journal")
    assert open_intents(ops) == []


def test_a_host_lists_what_it_brought_to_an_end(ops: Ops) -> None:
    """Though it was begun under another ledger; while that died, nobody knows."""
    forget(ops)
    assert state(ops) == "pending"
    done(ops.run("change", "resume", WORK))
    assert state(ops) == "run"


def test_what_was_settled_meanwhile_is_left_alone(ops: Ops) -> None:
    """Two who found the same run open answer it once."""
    wiring = wiring_of(ops)
    (left,) = unsettled_here(wiring)
    done(ops.run("change", "resume", WORK))
    before = lines_of(ops.root)
    assert settle(wiring, left, Onward.FINISH) is None
    assert lines_of(ops.root) == before


def test_what_died_meanwhile_is_settled_with_the_rest(ops: Ops) -> None:
    """Of two who found the same run open one was killed: the other goes on behind it."""
    wiring = wiring_of(ops)
    (left,) = unsettled_here(wiring)
    killed(lambda: resume_watched(ops, at(Stage.COMMITTED)))
    settled = settle(wiring, left, Onward.FINISH)
    assert settled is not None
    assert settled.became.done == 2
    assert open_intents(ops) == []


@pytest.mark.parametrize("newer", [True, False])
def test_evidence_is_that_which_was_approved_or_a_newer_one(ops: Ops, newer: bool) -> None:
    """What was rehearsed earlier is signed as well, and may say otherwise."""
    wiring = wiring_of(ops)
    work = read_change(wiring, WORK).work
    kept = {
        path: work.files[path]
        for path in made_by_rehearsal(work.files) - {EVIDENCE, EVIDENCE_SIGNATURE}
    }
    at = wiring.clock() + timedelta(seconds=2 if newer else -3600)
    files = attested_files(work, "test", ("example",), kept, evidence_signer(wiring), at)
    for name, data in files.items():
        (folder(ops) / name).write_bytes(data)
    status, text = said(ops.run("change", "resume", WORK))
    if newer:
        assert status == 0
        return
    assert (status, text.splitlines()[0]) == (
        5,
        f"error: what was rehearsed of {WORK} is older than the run on example, and not what was"
        " approved then",
    )


def test_what_nobody_approved_is_not_finished_for_another_ledger(ops: Ops) -> None:
    """The journal says that it began; who may say that it runs are people."""
    forget(ops)
    shutil.rmtree(folder(ops) / "approvals")
    status, text = said(ops.run("change", "resume", WORK))
    assert status == 5
    assert text.startswith(
        f"error: {WORK} began on example under another ledger, and what lies here may not run: "
    )
    assert resumes(ops) == []
