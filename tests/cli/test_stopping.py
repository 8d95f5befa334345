"""Signals while a change is under way: which are heard at once, which wait, and what is said."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dbops.change.stage import Moment, SoFar, Stage
from dbops.change.step import Direction
from dbops.cli.stopping import Stopping, around, resume_interrupted, run_interrupted, stopping
from dbops.errors import DbopsError, ExitStatus

UP, DOWN = Direction.UP, Direction.DOWN
AWAITED = "remark: what is being committed or written is awaited, and nothing more is begun\n"
ENDING = "remark: it is being put in order; one more ends dbops at once, and who knows what then\n"


def tell(stops: Stopping, *stages: Stage) -> None:
    for stage in stages:
        stops.observe(Moment(stage, UP))


def test_the_first_ends_it_and_the_third_again(capfd: pytest.CaptureFixture[str]) -> None:
    """In between things are put in order, and somebody is told so."""
    with stopping():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert capfd.readouterr().err == ENDING
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGHUP)


def test_a_commit_is_awaited(capfd: pytest.CaptureFixture[str]) -> None:
    """What comes meanwhile is heard before the next thing is begun, and not before."""
    with stopping() as stops:
        tell(stops, Stage.BEGUN, Stage.STEP, Stage.COMMITTING)
        signal.raise_signal(signal.SIGINT)
        assert capfd.readouterr().err == AWAITED
        tell(stops, Stage.COMMITTED)
        with pytest.raises(KeyboardInterrupt):
            tell(stops, Stage.BEGUN)
    assert stops.so_far.steps == 1


def test_the_end_of_all_is_no_interruption(capfd: pytest.CaptureFixture[str]) -> None:
    """Where nothing more is to be begun, the command ends well; the next one would not begin."""
    with stopping() as stops:
        tell(stops, Stage.BEGUN, Stage.COMMITTING)
        signal.raise_signal(signal.SIGTERM)
        tell(stops, Stage.COMMITTED)
    assert capfd.readouterr().err == AWAITED
    with pytest.raises(KeyboardInterrupt):
        stops.begin()


def test_what_must_be_written_is(capfd: pytest.CaptureFixture[str]) -> None:
    """In `held` a signal waits, and is owed nothing where it was the last thing."""
    with stopping() as stops, stops.held():
        signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == AWAITED


def test_ignored_signals_stay_ignored() -> None:
    """Under nohup a lost terminal stops nothing; afterwards all is as it was."""
    was = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, was)


def written_around(done: list[str]) -> None:
    """Work that is stopped before it begins, and again while its end is written."""
    with around() as work:
        signal.raise_signal(signal.SIGINT)
        done.append("intent")
        try:
            with work():
                done.append("never")
        finally:
            signal.raise_signal(signal.SIGINT)
            done.append("outcome")


def test_work_is_stopped_and_what_is_around_it_is_not() -> None:
    """A signal before the work is heard at its beginning, one behind it at the very end."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        written_around(done)
    assert done == ["intent", "outcome"]


def told(error: DbopsError) -> tuple[str, str, str]:
    assert error.status is ExitStatus.INTERRUPTED
    return error.code, error.message, error.hint


SAID = [
    (
        SoFar(),
        "interrupted",
        "interrupted: c-1 changed nothing on lab",
        "to try again: dbops change run c-1",
    ),
    (
        SoFar(begun=True),
        "interrupted",
        "interrupted: c-1 changed nothing on lab: what had begun was rolled back",
        "to try again: dbops change run c-1",
    ),
    (
        SoFar(direction=DOWN, begun=True),
        "interrupted",
        "interrupted: c-1 changed nothing on lab: what had begun was rolled back",
        "to try again: dbops change revert c-1",
    ),
    (
        SoFar(effect=True, steps=2, begun=True),
        "interrupted-partly",
        "interrupted: c-1 is half done on lab: 2 of 3 steps of up.sql stay",
        "finish it: dbops change resume c-1; or take it back: dbops change resume c-1 --revert",
    ),
    (
        SoFar(effect=True, steps=3, direction=DOWN, begun=True),
        "interrupted-partly",
        "interrupted: all 3 steps of down.sql are done on lab, and the end of c-1 is not recorded",
        "finish it: dbops change resume c-1",
    ),
    (
        SoFar(effect=None, doubtful=True, begun=True),
        "interrupted-unknown",
        "interrupted: nobody knows whether the last part of c-1 took place on lab",
        "it asks the database: dbops change resume c-1",
    ),
    (
        SoFar(effect=True, steps=1, doubtful=True, begun=True),
        "interrupted-unknown",
        "interrupted: 1 of 3 steps of up.sql stay, and nobody knows whether the last part of c-1"
        " took place on lab",
        "it asks the database: dbops change resume c-1",
    ),
]


@pytest.mark.parametrize(("so_far", "code", "message", "hint"), SAID)
def test_what_is_said_of_a_run(so_far: SoFar, code: str, message: str, hint: str) -> None:
    """What is there now, and the command that goes on from there."""
    assert told(run_interrupted("c-1", "lab", so_far, 3)) == (code, message, hint)


RESUMED = [
    (
        SoFar(),
        "interrupted",
        "interrupted: c-1 stands on lab as it stood: the resume changed nothing",
    ),
    (
        SoFar(effect=True, steps=1, begun=True),
        "interrupted-partly",
        "interrupted: 1 more step of up.sql is done on lab, and c-1 is not at its end",
    ),
    (
        SoFar(effect=True, steps=2, begun=True, direction=DOWN),
        "interrupted-partly",
        "interrupted: 2 more steps of down.sql are done on lab, and c-1 is not at its end",
    ),
    (
        SoFar(effect=None, doubtful=True, begun=True),
        "interrupted-unknown",
        "interrupted: nobody knows whether the last part of c-1 took place on lab",
    ),
]


@pytest.mark.parametrize(("so_far", "code", "message"), RESUMED)
def test_what_is_said_of_a_resume(so_far: SoFar, code: str, message: str) -> None:
    """Resume goes on in every case."""
    hint = "to go on: dbops change resume c-1"
    assert told(resume_interrupted("c-1", "lab", so_far, back=False)) == (code, message, hint)
    _, _, back = told(resume_interrupted("c-1", "lab", so_far, back=True))
    assert back == f"{hint} --revert"


IN_AN_IMPORT = """
import dbops.cli.wiring
from dbops.cli.root import main
dbops.cli.wiring.open_wiring = lambda estate: exec("raise KeyboardInterrupt")
main(["systems", "list"])
"""


def test_an_interrupt_within_an_import_is_130() -> None:
    """Python would end as if SIGINT had killed it, whatever status was asked for."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", IN_AN_IMPORT]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr.strip().splitlines()[0]) == (130, "error: interrupted")
