"""When a change may run: window, rings, fresh backups, rehearsals, and what broke off."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import Effect, Event
from dbops.audit.entry import Result as Ended
from dbops.change.script import parse_steps
from dbops.change.step import Direction
from dbops.cli.change_entries import change_intent
from dbops.cli.change_run import order_of, refuse_not_now, run_reviewed_change
from dbops.cli.changing import read_change
from dbops.cli.ledger import ledger_of
from dbops.errors import DbopsError, Refused
from dbops.review.policy_document import FailedVerify
from tests.cli import changes
from tests.cli.changes import WORK, agreed, found_changes, request, run, write
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, rows, said, wiring_of
from tests.engines.sqlite.files import held
from tests.support.ledger import deeds_of

NEXT = "2026-122-referred"
LIMITS = "limits: {lock_wait: 1s, attempts: 2, pause: 1s}"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate whose newest backup is proven, with a change that is rehearsed."""
    ops = found_changes(tmp_path_factory.mktemp("order") / "estate")
    write(ops, more=f"{changes.PERSONAL}\n{LIMITS}")
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


def test_what_a_rule_stops_does_not_run(ops: Ops) -> None:
    """Rehearsed and approved as it is: the rules are asked again, and the database with them."""
    agreed(
        ops,
        up="CREATE UNIQUE INDEX place_name ON place (name);\n",
        down="DROP INDEX place_name;\n",
        verify="SELECT count(*) = 2 FROM place;\n",
        touches=("create index place_name",),
        more="",
    )
    assert said(run(ops)) == (
        5,
        f"error: {WORK}: up.sql line 1: DDL-UNIQ: rows of place must be unique from now on: the"
        " change fails where two are alike; place has 2 rows, 4.1 kB\n"
        f"hint: dbops change check {WORK}\n",
    )
    assert rows(ops, "SELECT count(*) FROM sqlite_schema WHERE name = 'place_name'") == "[[0]]"


def test_a_lock_that_is_not_to_be_had_ends_the_run(ops: Ops) -> None:
    """After the attempts of the manifest, whoever types it is told; the approvals stay good."""
    with held(ops.root / "example.db", "BEGIN IMMEDIATE"):
        locked = run(ops)
    assert said(locked) == (
        11,
        "remark: example: a lock was not to be had; it is tried again after a pause\n"
        f"error: {WORK} waited 2 times for a lock, 1s each, with 1s of pauses, and did not get it:"
        " example is locked by somebody else and stayed so for 1 second\n"
        "hint: run the same command again once it is free; see who has it open:"
        f" fuser -v {ops.root / 'example.db'}\n",
    )
    (deed,) = deeds_of(ops.root, Event.CHANGE_RUN)
    assert deed.outcome is not None
    assert (deed.outcome.result, deed.outcome.effect) == (Ended.REFUSED, Effect.NONE)
    assert deed.outcome.code == "change-locked"
    assert "example is changed: 2 steps" in done(run(ops)).stdout


def test_a_change_that_another_requires_stays(ops: Ops) -> None:
    """Whoever takes it back is told which one to take back first."""
    done(run(ops))
    for words in (("backup", "run", "example"), ("backup", "verify", "example")):
        done(ops.run(*words))
    agreed(
        ops,
        NEXT,
        up="CREATE VIEW referred AS SELECT id, referred_by FROM visit;\n",
        down="DROP VIEW referred;\n",
        verify="SELECT count(*) = 3 FROM referred;\n",
        touches=("create view referred",),
        more=f"requires: [{WORK}]",
    )
    done(run(ops, NEXT))
    request(ops, takes_back=True)
    changes.approve(ops)
    assert said(changes.revert(ops)) == (
        5,
        f"error: {NEXT} requires {WORK}, and has run on this database\n"
        f"hint: take that one back first: dbops change revert {NEXT}\n",
    )


def test_the_policy_says_what_a_failed_verify_does(ops: Ops) -> None:
    """Where it says so, parts that stand are taken back."""
    policy = ops.root / "trust" / "policy.toml"
    text = policy.read_text("utf-8")
    stop, down = 'failed_verify = "stop"', 'failed_verify = "down"'
    assert text.count(stop) == 1
    for line, wanted in ((stop, FailedVerify.STOP), (down, FailedVerify.DOWN)):
        policy.write_text(text.replace(stop, line), "utf-8")
        wiring = wiring_of(ops)
        order = order_of(wiring, read_change(wiring, WORK), "example", "r" * 32, None)
        assert order.on_failed_verify is wanted


def killed_run(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards a run has committed, and its process died before the ledger had its end."""
    wiring = wiring_of(ops)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dbops.cli.baselines.keep_schema", die)
        with pytest.raises(KeyboardInterrupt):
            run_reviewed_change(wiring, read_change(wiring, WORK), "example", Direction.UP)


def test_a_run_that_was_killed_is_settled(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed behind COMMIT: the ledger knows nothing, and the journal in the database does."""
    killed_run(ops, monkeypatch)
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
        f"nothing is open: every run of {WORK} in this host's ledger has a known end,"
        " and no journal says otherwise\n"
    )


def dead_run(ops: Ops) -> None:
    """Afterwards the ledger is as a run leaves it whose process died before its COMMIT."""
    wiring = wiring_of(ops)
    work = read_change(wiring, WORK).work
    ledger_of(wiring).append(change_intent(work, "example", "d" * 32, Direction.UP, None))


def test_nothing_runs_beside_a_run_without_a_known_end(ops: Ops) -> None:
    """New approvals or not: what the second one did would be told of the first."""
    dead_run(ops)
    request(ops)
    changes.approve(ops)
    refused = run(ops)
    first, second = refused.stderr.splitlines()
    said_so = (
        rf"error: nobody knows how the last run of {WORK} on example ended \(ledger entry \d+\)"
    )
    assert re.fullmatch(said_so, first)
    assert second == f"hint: find out first: dbops change resume {WORK}"
    assert refused.exit_code == 5
    settled = done(ops.run("change", "resume", WORK)).stdout
    assert settled.endswith("): it did not take place; nothing that it makes is there\n")
    done(run(ops))


def test_a_run_that_is_open_on_another_database_is_named(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not said that all is known: where it is open is, and the command that settles it."""
    config = ops.root / "dbops.toml"
    text = config.read_text("utf-8")
    table = text[text.index("[databases.example]") :].partition("\n\n")[0]
    other = table.replace("[databases.example]", "[databases.other]")
    config.write_text(f"{text}\n{other}\n", "utf-8")
    killed_run(ops, monkeypatch)
    assert said(ops.run("change", "resume", WORK, "--database", "other")) == (
        5,
        f"error: nothing of {WORK} is open on other\n"
        f"hint: open on example: dbops change resume {WORK} --database example\n",
    )
    done(ops.run("change", "resume", WORK, "--database", "example"))
    assert said(ops.run("change", "resume", WORK, "--database", "other")) == (
        10,
        f"error: {WORK} is not of other\nhint: it is of example\n",
    )


def test_what_does_not_exist_is_not_resumed(founded: Ops) -> None:
    """A word that was mistyped is not said to be settled."""
    assert said(founded.run("change", "resume", "2026-0-none")) == (
        10,
        "error: there is no work 2026-0-none\nhint: dbops change list\n",
    )
    unknown = founded.run("change", "resume", WORK, "--database", "exmaple")
    assert unknown.exit_code == 10
    assert 'the estate has no database "exmaple"' in unknown.stderr


def test_of_many_databases_each_fault_names_its_own(ops: Ops) -> None:
    """`drift --all` goes on behind one that cannot be asked, and says which that is."""
    changes.record(ops)
    (ops.root / "example.db").rename(ops.root / "away.db")
    alone, every = (ops.run("change", "drift", which) for which in ("example", "--all"))
    assert every.exit_code == 3
    message, hint = alone.stderr.removeprefix("error: ").splitlines()
    assert every.stderr == f"error: example: {message}\n  {hint}\n"


def test_a_run_without_a_known_end_comes_first(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs it again, or looks for drift, is told what settles it, asked or not."""
    changes.record(ops)
    killed_run(ops, monkeypatch)
    settles = f"dbops change resume {WORK}"
    for words in (("change", "run", WORK), ("change", "run", WORK, "--yes")):
        refused = ops.run(*words)
        assert refused.exit_code == 5
        hint = f"hint: that run has not come to an end: {settles}\n"
        assert refused.stderr.endswith(hint)
    drifted = ops.run("change", "drift", "example")
    assert drifted.exit_code == 4
    remark = f"  remark: a run of {WORK} has not come to an end: {settles}\n"
    assert drifted.stdout.endswith(remark)
    (shown,) = json.loads(ops.run("change", "drift", "example", "--json").stdout)["databases"]
    assert shown["unsettled"] == [WORK]
    done(ops.run("change", "resume", WORK))
    assert "remark" not in ops.run("change", "drift", "example").output


def test_what_was_altered_behind_a_killed_run_is_not_recorded(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column of the change is no longer what it made: whoever settles the run does not vouch."""
    killed_run(ops, monkeypatch)
    changes.alter(
        ops,
        "DROP INDEX visit_referred_by; CREATE UNIQUE INDEX visit_referred_by ON visit (id);",
    )
    done(ops.run("change", "resume", WORK))
    assert "no schema of example was ever recorded" in ops.run("change", "drift", "example").stderr
    assert " run " in done(ops.run("change", "list")).stdout
    assert "nothing is open" in done(ops.run("change", "resume", WORK)).stderr


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
    request(ops, takes_back=True)
    changes.approve(ops)
    assert run_reviewed_change(late, found, "example", Direction.DOWN).direction is Direction.DOWN


def test_what_runs_is_what_was_judged(ops: Ops) -> None:
    """Files that were others while somebody was asked are not what runs."""
    wiring = wiring_of(ops)
    found = read_change(wiring, WORK)
    other = parse_steps(b"DELETE FROM visit;\n", "up.sql")
    report = run_reviewed_change(wiring, replace(found, up=other), "example", Direction.UP)
    assert [each.step for each in report.steps] == list(found.up)
    assert rows(ops, "SELECT count(*) FROM visit") == "[[3]]"


def test_a_resume_takes_no_other_files(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on is what was approved, or nothing."""
    killed_run(ops, monkeypatch)
    script = changes.folder(ops) / "up.sql"
    script.write_text(script.read_text("utf-8") + "-- \n", "utf-8")
    refused = ops.run("change", "resume", WORK)
    assert refused.exit_code == 5
    assert f"the files of {WORK} are not those that ran on example" in refused.stderr


@pytest.mark.parametrize("name", ["rehearsed-example.schema", "rehearsed-example.diff"])
def test_a_resume_believes_no_rehearsal_that_nobody_signed(
    ops: Ops, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The schema would be compared with it, and recorded."""
    killed_run(ops, monkeypatch)
    path = changes.folder(ops) / name
    before = path.read_bytes()
    path.write_bytes(before.replace(b"visit", b"visits"))
    refused = ops.run("change", "resume", WORK)
    assert (refused.exit_code, refused.stderr.splitlines()[0]) == (
        5,
        f"error: what was rehearsed of {WORK} is not what ran on example, and nobody vouches for"
        " it: it is of other files than those that are there",
    )
    path.write_bytes(before)
    done(ops.run("change", "resume", WORK))


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
