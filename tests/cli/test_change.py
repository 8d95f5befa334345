"""`dbops change`, from the first draft to drift, on SQLite: what people type and read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli import changes
from tests.cli.changes import WORK, alter, found_changes, rehearse, request, run, write
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, said


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate whose newest backup is proven."""
    return found_changes(tmp_path_factory.mktemp("change") / "estate")


@pytest.fixture(scope="module")
def signed(founded: Ops, tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """The same, and the change is rehearsed."""
    ops = copy_ops(founded, tmp_path_factory.mktemp("signed") / "estate")
    write(ops)
    request(ops)
    done(rehearse(ops))
    return ops


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of the estate."""
    return copy_ops(founded, tmp_path / "estate")


@pytest.fixture
def ready(signed: Ops, tmp_path: Path) -> Ops:
    """A copy in which the change may run: who signs names the file by its path."""
    ops = copy_ops(signed, tmp_path / "estate")
    request(ops)
    changes.approve(ops)
    return ops


def test_a_change_is_drawn_up_with_its_blanks(ops: Ops) -> None:
    """Four files lie in the work tree, and check says what is still to be filled in."""
    words = ("--database", "example", "--title", "t", "--author", "wei@contractor")
    made = done(ops.run("change", "new", WORK, *words))
    assert made.stdout == f"{changes.folder(ops)}\n"
    names = sorted(each.name for each in changes.folder(ops).iterdir())
    assert names == ["change.yml", "down.sql", "up.sql", "verify.sql"]
    checked = ops.run("change", "check", WORK)
    assert checked.exit_code == 4
    assert "fill in the blank" in checked.stdout


def test_a_database_is_named_once(ops: Ops) -> None:
    """Of rings that have it twice nothing is drawn up, and the command line is blamed."""
    words = ("--ring", "a=example,example", "--title", "t", "--author", "wei@contractor")
    refused = ops.run("change", "new", WORK, *words)
    assert refused.exit_code == 2
    assert refused.stderr == (
        "error: example is named more than once\nhint: name each database once, in one ring\n"
    )
    assert not changes.folder(ops).exists()


def test_a_rule_stops_a_change_until_it_is_mended_or_accepted(ops: Ops) -> None:
    """The finding has the rows of the table; a reason lets it stand."""
    hasty = "ALTER TABLE visit ADD COLUMN referred_by TEXT NOT NULL;\n"
    touches = ("create column visit.referred_by",)
    down = "ALTER TABLE visit DROP COLUMN referred_by;\n"
    write(ops, up=hasty, down=down, touches=touches)
    stopped = ops.run("change", "check", WORK)
    assert stopped.exit_code == 4
    assert "error DDL-NN" in stopped.stdout
    write(
        ops,
        up=hasty,
        down=down,
        touches=touches,
        more=f'{changes.PERSONAL}\naccepted:\n  - {{rule: DDL-NN, why: "the table is empty"}}',
    )
    accepted = ops.run("change", "check", WORK)
    assert "accepted DDL-NN" in accepted.stdout
    assert accepted.stdout.splitlines()[1] == "  why: the table is empty"
    told = json.loads(done(ops.run("change", "check", WORK, "--json")).stdout)["work"][0]
    entry = {"rule": "DDL-NN", "where": "up.sql line 1", "why": "the table is empty"}
    assert told["accepted"] == [entry]


def test_a_change_requires_one_that_there_is(ops: Ops) -> None:
    """Of another one the line is told, beside what the rules say."""
    write(ops, more=f"{changes.PERSONAL}\nrequires: [2026-120-refer]")
    missing = ops.run("change", "check", WORK)
    assert missing.exit_code == 4
    assert missing.stdout.startswith(
        f"{WORK}: changes/{WORK}/change.yml line 13: requires: there is no change 2026-120-refer\n"
        f"  hint: there are: none\n{WORK}: change.yml: warning DDL-TICKET: "
    )
    no_such = f"changes/{WORK}/change.yml line 13: requires: there is no change 2026-120-refer"
    unasked = said(ops.review("request", WORK, "--key", ops.key("wei"), "--yes"))
    assert unasked == (5, f"error: {no_such}\nhint: there are: none\n")
    write(ops, "2026-120-refer")
    assert done(ops.run("change", "check", WORK)).stdout.endswith(f"{WORK}: nothing stops it\n")
    request(ops)
    shutil.rmtree(changes.folder(ops, "2026-120-refer"))
    refused = said(ops.run("change", "rehearse", WORK))
    assert (refused[0], refused[1].splitlines()[0]) == (5, f"error: {no_such}")


def test_who_approves_hears_what_stops_a_change(ops: Ops) -> None:
    """Below what is signed, above the question; the signature is made all the same."""
    up = "CREATE UNIQUE INDEX place_name ON place (name);\n"
    write(
        ops, up=up, down="DROP INDEX place_name;\n", touches=("create index place_name",), more=""
    )
    request(ops)
    signed = done(ops.review("approve", WORK, "--key", ops.key("li"), "--yes"))
    assert (
        f"remark: {WORK} will not run as it is: rules stop it that it does not accept\n"
        "  up.sql line 1: DDL-UNIQ: rows of place must be unique from now on: the change fails"
        " where two are alike; place has 2 rows, 4.1 kB\n"
        "signed as li.na@hospital; commit it with its .sig\n"
    ) in signed.stderr


def test_nobody_rehearses_what_nobody_asked_for(ops: Ops) -> None:
    """The author's signature must be of the files as they are."""
    write(ops)
    refused = rehearse(ops)
    assert refused.exit_code == 5
    assert "the request of the author, wei@contractor, is missing" in refused.stderr


def test_a_change_is_rehearsed_signed_and_run(ready: Ops) -> None:
    """The table has the column, and the output says so in words."""
    ran = done(run(ready))
    assert "example is changed: 2 steps" in ran.stdout
    assert "column `referred_by` of `visit` is new: TEXT" in ran.stdout
    listed = json.loads(done(ready.run("change", "list", "--json")).stdout)
    (place,) = listed["changes"][0]["databases"]
    assert (place["database"], place["state"]) == ("example", "run")


def test_an_approval_is_for_one_run(ready: Ops) -> None:
    """A second run is refused, and so is taking it back without a new approval."""
    done(run(ready))
    assert said(run(ready))[0] == 5
    assert "was used for a run already" in changes.revert(ready).stderr


def test_a_change_is_taken_back(ready: Ops) -> None:
    """With new signatures on the same files; drift then finds nothing."""
    done(run(ready))
    request(ready, takes_back=True)
    changes.approve(ready)
    back = done(changes.revert(ready))
    assert "example is as it was" in back.stdout
    assert done(ready.run("change", "drift", "example")).stdout.startswith("example: as recorded")


def test_an_alter_by_hand_stops_a_run_and_is_found_later(ready: Ops) -> None:
    """Drift is said in words, before a change runs and after."""
    by_hand = "ALTER TABLE place ADD COLUMN floor INTEGER;"
    alter(ready, by_hand)
    refused = run(ready)
    assert refused.exit_code == 5
    assert "column `floor` of `place` is new: INTEGER" in refused.stderr
    alter(ready, "ALTER TABLE place DROP COLUMN floor;")
    done(run(ready))
    alter(ready, by_hand)
    found = ready.run("change", "drift", "example")
    assert found.exit_code == 4
    assert "  column `floor` of `place` is new: INTEGER\n" in found.stdout
    alter(ready, "CREATE INDEX place_floor ON place (floor);")
    index = "index `place_floor` on `place` is new"
    text = "+CREATE INDEX place_floor ON place (floor)"
    found = ready.run("change", "drift", "example")
    assert found.stdout.endswith(f"  {index}\n    {text}\n")
    told = json.loads(ready.run("change", "drift", "example", "--json").stdout)["databases"][0]
    assert [each["texts"] for each in told["differences"]][-1:] == [[text]]


def test_what_touches_does_not_name_is_refused_at_the_rehearsal(ops: Ops) -> None:
    """The folder stays as it was."""
    write(ops, touches=changes.TOUCHES[:1])
    request(ops)
    refused = rehearse(ops)
    assert refused.exit_code == 5
    assert refused.stderr.endswith(
        f": 1 difference: index `visit_referred_by` on `visit` is new\n"
        "hint: write what is meant under touches, in place of a line of the same object there:\n"
        "  - create index visit_referred_by\n"
        f"or leave it out; then: dbops change rehearse {WORK}\n"
    )
    assert not (changes.folder(ops) / "evidence.yml").exists()


def test_one_byte_later_nothing_runs(ready: Ops) -> None:
    """The evidence and the signatures are of the very bytes."""
    script = changes.folder(ready) / "up.sql"
    script.write_text(script.read_text("utf-8") + "-- \n", "utf-8")
    ready.commit()
    assert run(ready).exit_code == 5


def test_a_schema_is_recorded_once_people_agreed_to_it(ops: Ops) -> None:
    """Until then nothing was ever recorded; afterwards drift compares with it."""
    none = ops.run("change", "drift", "example")
    assert said(none) == (
        10,
        "error: no schema of example was ever recorded\n"
        "hint: have it recorded: dbops change record example --id ID --author PRINCIPAL\n",
    )
    work = "2026-120-baseline"
    done(ops.run("change", "record", "example", "--id", work, "--author", "wei@contractor"))
    request(ops, work)
    early = ops.run("change", "record", "example", "--review", work)
    assert early.exit_code == 5
    changes.approve(ops, work)
    alter(ops, "CREATE VIEW icu AS SELECT id FROM visit WHERE ward = 'ICU';")
    other = ops.run("change", "record", "example", "--review", work, "--yes")
    assert other.exit_code == 5
    assert other.stderr.startswith(
        f"error: example has another schema by now than {work}: 1 difference: view `icu` is new\n"
    )
    assert ops.run("change", "drift", "example").exit_code == 10
    alter(ops, "DROP VIEW icu;")
    done(ops.run("change", "record", "example", "--review", work, "--yes"))
    shown = done(ops.run("change", "show", work)).stdout
    assert "example     run" in shown
    assert "rehearse" not in shown
    assert "limits" not in shown
    assert done(ops.run("change", "drift", "example")).stdout.startswith("example: as recorded")


def test_show_has_what_a_reviewer_needs(ready: Ops) -> None:
    """Words, SQL, lint, times, rows and the way back, on one screen and as JSON."""
    shown = done(ready.run("change", "show", WORK)).stdout
    for text in (
        "title      就诊记录增加转诊医师",
        "touches    create column visit.referred_by",
        "   2  ALTER TABLE visit ADD COLUMN referred_by TEXT;",
        f"{WORK}: nothing stops it",
        "example, rehearsed on example@",
        "column `referred_by` of `visit` is new: TEXT",
        "down: the schema was exactly as before",
    ):
        assert text in shown
    tables = [line.split() for line in shown.splitlines()]
    assert ["visit", "3", "3", "3", "4.1", "kB"] in tables  # it is of the column and of the index
    assert not [each for each in tables if each[:1] == ["place"]]
    found = json.loads(done(ready.run("change", "show", WORK, "--json")).stdout)
    assert found["rehearsals"]["example"]["down"] == "the schema was exactly as before"
