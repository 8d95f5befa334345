"""Whoever settles a change that broke off leaves a record of that, wherever he dies himself."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.audit.entry import Draft, Effect, Event, Label, Phase, Result
from dbops.change.resume import Onward
from dbops.change.stage import Stage
from dbops.cli.change_settling import settle
from dbops.cli.change_unsettled import left_by_others
from dbops.cli.ledger import ledger_of
from tests.cli.changes import (
    WORK,
    alter,
    approve,
    folder,
    request,
    run,
)
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, said, wiring_of
from tests.cli.settling import (
    at,
    broken_off,
    forget,
    killed,
    open_intents,
    outcome,
    resume_watched,
    resumes,
    run_watched,
    runs_of_journal,
    signed,
    void,
)
from tests.support.ledger import deeds_of

__all__ = ["signed"]


@pytest.fixture
def ops(signed: Ops, tmp_path: Path) -> Ops:
    """A copy of the estate, in which a run was killed behind the first part."""
    return broken_off(signed, tmp_path / "estate", Stage.COMMITTED)


def test_a_resume_is_announced_and_answered(ops: Ops) -> None:
    """By an intent with the id of its journal rows and of the run; that run has an end then."""
    (ran,) = deeds_of(ops.root, Event.CHANGE_RUN)
    done(ops.run("change", "resume", WORK))
    (deed,) = resumes(ops)
    mine = deed.intent.names[Label.RUN]
    assert deed.intent.ticket == "T-121"
    assert deed.intent.names[Label.RESUMES] == ran.intent.names[Label.RUN]
    assert runs_of_journal(ops) == [ran.intent.names[Label.RUN], mine, mine, mine]
    end = outcome(deed)
    assert (end.result, end.effect, end.code) == (Result.DONE, Effect.COMMITTED, None)
    assert deed.intent.names[Label.DIRECTION] == end.names[Label.DIRECTION] == "up"
    (ran,) = deeds_of(ops.root, Event.CHANGE_RUN)
    last = outcome(ran)
    assert (last.event, last.effect) == (Event.CHANGE_RESUME, Effect.COMMITTED)
    assert open_intents(ops) == []


def test_a_resume_that_fails_half_way_is_recorded(ops: Ops) -> None:
    """With what it did for good, and why it did not get further; the run stays open."""
    alter(ops, "ALTER TABLE visit ADD COLUMN hand TEXT")
    assert ops.run("change", "resume", WORK).exit_code == 3
    (deed,) = resumes(ops)
    end = outcome(deed)
    assert (end.result, end.effect) == (Result.PARTLY, Effect.NONE)
    assert (end.code, end.names[Label.CAUSE]) == ("change-partly", "change-effect")
    assert open_intents(ops) == [Event.CHANGE_RUN]
    alter(ops, "ALTER TABLE visit DROP COLUMN hand")
    done(ops.run("change", "resume", WORK))
    assert [outcome(each).result for each in resumes(ops)] == [Result.PARTLY, Result.DONE]


@pytest.mark.parametrize(
    ("stage", "effect"), [(Stage.BEGUN, Effect.NONE), (Stage.COMMITTED, Effect.COMMITTED)]
)
def test_a_resume_that_is_killed_is_found_by_the_next(
    ops: Ops, stage: Stage, effect: Effect
) -> None:
    """What it did for good the journal says by its id; `audit verify` names who can ask it."""
    killed(lambda: resume_watched(ops, at(stage)))
    assert open_intents(ops) == [Event.CHANGE_RUN, Event.CHANGE_RESUME]
    heard = ops.run("audit", "verify")
    assert f"the database knows what became of it: dbops change resume {WORK}\n" in heard.stderr
    done(ops.run("change", "resume", WORK))
    first, second = resumes(ops)
    assert (outcome(first).result, outcome(first).effect) == (Result.INTERRUPTED, effect)
    assert (outcome(second).result, outcome(second).effect) == (Result.DONE, Effect.COMMITTED)
    assert open_intents(ops) == []


def test_a_resume_that_is_killed_behind_its_end(ops: Ops) -> None:
    """Nothing is left to do, and the ledger gets both ends all the same."""
    killed(lambda: resume_watched(ops, at(Stage.COMMITTED, 2)))
    told = done(ops.run("change", "resume", WORK)).stdout
    assert told.endswith("): it took place, to its end\n")
    assert open_intents(ops) == []
    assert [outcome(each).effect for each in resumes(ops)] == [Effect.COMMITTED, Effect.NONE]
    done(ops.run("change", "drift", "example"))


def test_another_host_asks_the_journal(ops: Ops) -> None:
    """What its ledger has never heard of it finishes under the same signed files."""
    forget(ops)
    request(ops)
    approve(ops)
    half = f"{WORK} is half done on this database: 1 step of up.sql"
    assert said(run(ops)) == (
        5,
        f"error: {half}\nhint: finish it: dbops change resume {WORK}, or take it back:"
        f" dbops change resume {WORK} --revert\n",
    )
    told = done(ops.run("change", "resume", WORK)).stdout
    what = f"{WORK} on example (not in this host's ledger)"
    assert told == f"{what}: 1 of 3 steps were done; now all are, and it was judged\n"
    (deed,) = resumes(ops)
    assert Label.RESUMES not in deed.intent.names
    assert (outcome(deed).result, outcome(deed).effect) == (Result.DONE, Effect.COMMITTED)
    assert said(ops.run("change", "drift", "example"))[0] == 0
    assert done(ops.run("change", "resume", WORK, "--database", "example")).stderr == (
        f"nothing is open: every run of {WORK} on example in this host's ledger has a known end,"
        " and no journal says otherwise\n"
    )


def test_another_host_that_dies_is_found_as_well(ops: Ops) -> None:
    """By its own intent, though the run is in another ledger: nobody has to name the id."""
    forget(ops)
    wiring = wiring_of(ops)
    (left,) = left_by_others(wiring, WORK, None)
    killed(lambda: void(settle(wiring, left, Onward.FINISH, at(Stage.COMMITTED))))
    assert open_intents(ops) == [Event.CHANGE_RESUME]
    told = done(ops.run("change", "resume")).stdout
    assert told.endswith(": 2 of 3 steps were done; now all are, and it was judged\n")
    assert open_intents(ops) == []


def test_other_files_than_those_that_began_are_refused(ops: Ops) -> None:
    """On the host that ran it by its ledger, on another one by the journal."""
    script = folder(ops) / "up.sql"
    script.write_text(script.read_text() + "\n-- more\n")
    here = f"error: the files of {WORK} are not those that ran on example\n"
    assert said(ops.run("change", "resume", WORK))[1].startswith(here)
    forget(ops)
    status, text = said(ops.run("change", "resume", WORK))
    assert (status, text.splitlines()[1]) == (5, "hint: check that revision out, and ask again")
    assert text.startswith(f"error: another revision of {WORK} is half done on example (plan ")
    assert resumes(ops) == []


def test_nothing_is_recorded_while_a_change_is_half_done(ops: Ops) -> None:
    """A schema that may be taken back still is none that the database is to have."""
    words = ("change", "record", "example", "--id", "2026-130-b", "--author", "wei@contractor")
    refused = (
        5,
        f"error: {WORK} is half done on this database: 1 step of up.sql\n"
        f"hint: finish it: dbops change resume {WORK}, or take it back:"
        f" dbops change resume {WORK} --revert\n",
    )
    assert said(ops.run(*words)) == refused
    done(ops.run("change", "resume", WORK))
    done(ops.run(*words))


def test_a_recorded_schema_that_is_lost_is_not_made_up(ops: Ops) -> None:
    """What came by hand meanwhile would be recorded: drift goes on saying that nothing is known."""
    for path in (ops.root / "state").rglob("*.schema*"):
        path.unlink()
    heard = done(ops.run("change", "resume", WORK))
    assert "what example is to have has to be recorded anew\n" in heard.stderr
    assert said(ops.run("change", "drift", "example"))[1].startswith("error: the schema of example")
    words = ("change", "record", "example", "--id", "2026-130-b", "--author", "wei@contractor")
    told = done(ops.run(*words)).stdout
    assert "remark: compared with nothing: the schema of example that ledger entry" in told


def test_nothing_approved_is_recorded_meanwhile_either(signed: Ops, tmp_path: Path) -> None:
    """Not even where half of the change came to the very schema that people agreed to."""
    found, baseline = copy_ops(signed, tmp_path / "estate"), "2026-130-b"
    alter(found, "CREATE TABLE room (code TEXT PRIMARY KEY)")
    words = ("change", "record", "example")
    done(found.run(*words, "--id", baseline, "--author", "wei@contractor"))
    alter(found, "DROP TABLE room")
    for work in (baseline, WORK):
        request(found, work)
        approve(found, work)
    killed(lambda: run_watched(found, at(Stage.COMMITTED)))
    status, text = said(found.run(*words, "--review", baseline, "--yes"))
    half = f"error: {WORK} is half done on this database: 1 step of up.sql\n"
    assert (status, text.partition("hint")[0]) == (5, half)
    end = outcome(deeds_of(found.root, Event.CHANGE_RECORD)[-1])
    assert (end.result, end.code, end.digests) == (Result.REFUSED, "change-half-done", {})
    done(found.run("change", "resume", WORK))
    done(found.run("change", "drift", "example"))


def test_what_is_settled_is_told_before_the_next_one_fails(ops: Ops) -> None:
    """Of two open runs the second one's folder is gone: its commit is the one to check out."""
    lost = "2026-122-lost"
    names = {Label.RUN: "0" * 32}
    event, phase = Event.CHANGE_RUN, Phase.INTENT
    entry = ledger_of(wiring_of(ops)).append(
        Draft(event=event, phase=phase, target="example", work=lost, names=names)
    )
    found = ops.run("change", "resume")
    assert found.stdout.endswith("): 1 of 3 steps were done; now all are, and it was judged\n")
    missing = (
        10,
        f"error: there is no work {lost}\n"
        f"hint: check out the commit that ran: dbops audit show {entry.sequence}\n",
    )
    assert said(found) == missing
    assert said(ops.run("change", "resume", lost)) == missing
