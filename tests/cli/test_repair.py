"""`dbops repair` as people type it: the whole story of one repair, and of the way back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dbops.audit.entry import Count, DigestOf, Effect, Event, Label
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import (
    AFTER,
    BEFORE,
    WORK,
    change,
    done,
    folder,
    found_repairs,
    mend,
    said,
    sign,
    take_back,
    undo_agreed,
    wards,
    write,
)
from tests.support.ledger import deeds_of, records_of

UNDO = "2026-118-undo"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate that is ready for repairs."""
    return found_repairs(tmp_path_factory.mktemp("repair") / "estate")


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def state(ops: Ops, work: str = WORK) -> tuple[str, list[str]]:
    """How far the repair has come, and who must act."""
    found = json.loads(done(ops.run("repair", "list", "--json")).stdout)["repairs"]
    (one,) = (each for each in found if each["id"] == work)
    return one["state"], one["next"]


def test_the_whole_story(ops: Ops) -> None:
    """Drawn up, checked, requested, rehearsed, approved, run, shown, refused, undone."""
    script = ops.root / "fix.sql"
    script.write_text("UPDATE visit SET ward = 'ORT' WHERE ward = 'OLD';\n")
    new = ops.run(
        *("repair", "new", WORK, "--database", "example", "--from", script),
        *("--title", "三次就诊登记到已关闭病区", "--author", "wei@contractor"),
        *("--ticket", "T-117", "--cause", "an old map of wards", "--fix", "T-120"),
    )
    assert done(new).stdout == f"{folder(ops)}/repair.sql\n{folder(ops)}/repair.yml\n"
    checked = ops.run("repair", "check", WORK)
    assert (checked.exit_code, checked.stdout) == (
        4,
        f"{WORK}: repairs/{WORK}/repair.yml line 13: watch[1].expect.update is not filled in\n"
        "  hint: fill in the blank: a whole number up to 1000000000, or :name of an integer"
        " parameter\n",
    )
    manifest = folder(ops) / "repair.yml"
    text = manifest.read_text("utf-8").replace('update: "?"', "update: 3")
    manifest.write_text(text.replace('rows: "?"', "rows: 3").replace("# show:", "show:"), "utf-8")
    assert "ward_code" in manifest.read_text("utf-8")
    manifest.write_text(manifest.read_text("utf-8").replace("ward_code", "ward"), "utf-8")
    assert done(ops.run("repair", "check", WORK)).stdout.endswith(f"{WORK}: nothing stops it\n")
    assert state(ops) == ("draft", ["author wei@contractor: sign the request"])
    done(ops.review("request", WORK, "--key", ops.key("wei"), "--yes"))
    rehearsal = done(ops.run("repair", "rehearse", WORK))
    assert "remark: the recipients document names no reviewer" in rehearsal.stderr
    rehearsed = rehearsal.stdout
    assert rehearsed.endswith(
        "visit: 0 inserted, 3 updated, 0 deleted (columns: ward 3)\n"
        "undo restored 3 rows; a second one was refused (undo-already);"
        " counted by sqlite3_preupdate_hook (exact)\n"
        "wrote evidence.yml, evidence.yml.sig, rows.age: commit them, then"
        f" dbops review request {WORK} --key KEY\n"
    )
    assert wards(ops) == BEFORE
    sign(ops)
    assert state(ops) == ("approved", ["this host: run"])
    ran = done(mend(ops)).stdout
    assert re.fullmatch(
        r"example is repaired: 3 rows \(0 inserted, 3 updated, 0 deleted\)\n"
        rf"rows before and after are sealed in {WORK}\.repair\.0\.[0-9a-f]{{32}}\.age\n",
        ran,
    )
    assert wards(ops) == AFTER
    assert state(ops) == ("run", [])
    undo_agreed(ops, UNDO)
    change(ops, "UPDATE visit SET note = 'seen' WHERE id = 2")
    refused = take_back(ops, UNDO)
    assert said(refused) == (
        5,
        f"error: {WORK} cannot be undone, nothing was changed: visit: 1 row changed since"
        " (in note)\n"
        "hint: somebody worked on these rows since; write a new repair for what is still wrong\n",
    )
    assert wards(ops) == AFTER
    change(ops, "UPDATE visit SET note = '' WHERE id = 2")
    assert done(take_back(ops, UNDO)).stdout.startswith(
        "example is as it was: 3 rows (0 inserted, 3 updated, 0 deleted)\n"
    )
    assert wards(ops) == BEFORE
    assert state(ops) == ("undone", [])
    assert state(ops, UNDO) == ("run", [])


def test_the_ledger_tells_the_story(ops: Ops) -> None:
    """Approvals, run, server, counts and bundle stand there; the effect is known at every end."""
    write(ops)
    sign(ops)
    done(mend(ops))
    (deed,) = deeds_of(ops.root, Event.REPAIR_RUN)
    assert deed.outcome is not None
    assert (deed.intent.target, deed.intent.work, deed.intent.ticket) == ("example", WORK, "T-117")
    assert len(deed.intent.approvals) == 2
    run = deed.intent.names[Label.RUN]
    assert deed.outcome.effect is Effect.COMMITTED
    assert deed.outcome.names[Label.SERVER].startswith("SQLite 3.")
    counted = {Count.UPDATED: 3, Count.ROWS: 3, Count.TABLES: 1, Count.ATTEMPTS: 1}
    assert counted.items() <= deed.outcome.counts.items()
    (sealed,) = (ops.root / "state" / "bundles").iterdir()
    assert run in sealed.name
    digest = deed.outcome.digests[DigestOf.BUNDLE]
    undo_agreed(ops, UNDO)
    assert f"bundles: [{digest}]" in (folder(ops, UNDO) / "repair.yml").read_text("utf-8")
    change(ops, "UPDATE visit SET note = 'seen' WHERE id = 2")
    assert take_back(ops, UNDO).exit_code == 5
    change(ops, "UPDATE visit SET note = '' WHERE id = 2")
    done(take_back(ops, UNDO))
    ends = [each.outcome for each in deeds_of(ops.root, Event.REPAIR_UNDO) if each.outcome]
    assert [(each.code, each.effect) for each in ends] == [
        ("undo-conflict", Effect.NONE),
        (None, Effect.COMMITTED),
    ]


def test_nothing_runs_without_approval(ops: Ops) -> None:
    """It is refused with what is missing, the attempt is recorded, and nothing has changed."""
    write(ops)
    ops.commit()
    assert said(mend(ops)) == (
        5,
        f"error: {WORK} may not run: the request of the author, wei@contractor, is missing"
        " (and 1 more)\n"
        f"hint: dbops review show {WORK}\n",
    )
    (record,) = records_of(ops.root, Event.REPAIR_RUN)
    assert (record.code, record.effect, record.work) == ("request-missing", Effect.NONE, WORK)
    assert deeds_of(ops.root, Event.REPAIR_RUN) == []
    assert wards(ops) == BEFORE


@pytest.mark.parametrize("name", ["repair.yml", "repair.sql"])
def test_one_changed_byte_voids_the_approval(ops: Ops, name: str) -> None:
    """Manifest and script run as they were signed, or not at all."""
    write(ops)
    sign(ops)
    path = folder(ops) / name
    path.write_text(path.read_text("utf-8").replace("'OLD'", "'ICU'"), "utf-8")
    ops.commit()
    refused = mend(ops)
    assert refused.exit_code == 5
    assert f"{name} was changed after it was signed" in refused.stderr
    assert wards(ops) == BEFORE


def test_what_ran_does_not_run_again(ops: Ops) -> None:
    """The approvals are used up; signed anew, the database itself refuses the same plan."""
    write(ops)
    sign(ops)
    done(mend(ops))
    change(ops, "UPDATE visit SET ward = 'OLD' WHERE id < 4")
    assert "it was used for a run already, and is for one only" in mend(ops).stderr
    sign(ops)
    assert said(mend(ops)) == (
        5,
        f"error: {WORK} has run on this database already\n"
        f"hint: see when: dbops audit log --work {WORK}\n",
    )
    assert wards(ops) == BEFORE


def test_each_command_for_its_kind(ops: Ops) -> None:
    """`run` is for a repair and `undo` for its undo; nobody types one and means the other."""
    write(ops)
    sign(ops)
    assert said(take_back(ops, WORK)) == (
        2,
        f"error: {WORK} is no undo\nhint: dbops repair run {WORK}\n",
    )
    done(mend(ops))
    undo_agreed(ops, UNDO)
    assert said(mend(ops, UNDO)) == (
        2,
        f"error: {UNDO} is an undo\nhint: dbops repair undo {UNDO}\n",
    )
    assert said(ops.run("repair", "new", "x", "--undo", UNDO, "--author", "wei@contractor")) == (
        2,
        f"error: {UNDO} is an undo itself, and nothing takes an undo back\n"
        f"hint: draw {WORK} up anew, under another id, and have it reviewed\n",
    )


def test_an_undo_has_the_search_path_of_its_repair(ops: Ops) -> None:
    """What triggers name without a schema is looked up there once more."""
    write(ops, more="search_path: [main, other]\n")
    sign(ops)
    done(mend(ops))
    done(ops.run("repair", "new", UNDO, "--undo", WORK, "--author", "wei@contractor"))
    text = (folder(ops, UNDO) / "repair.yml").read_text("utf-8")
    assert "search_path: [main, other]\n" in text
    sign(ops, UNDO)
    done(take_back(ops, UNDO))


def test_a_second_undo_is_refused(ops: Ops) -> None:
    """Another undo of the same run finds the rows as they were, and its approvals stay valid."""
    write(ops)
    sign(ops)
    done(mend(ops))
    for undo in (UNDO, "2026-119-undo"):
        undo_agreed(ops, undo)
    done(take_back(ops, UNDO))
    assert said(take_back(ops, "2026-119-undo")) == (
        5,
        f"error: {WORK} has been undone already: visit: 3 rows as before the repair\n"
        f"hint: see what ran: dbops audit log --work {WORK}\n",
    )


def test_what_did_not_run_is_not_undone(ops: Ops) -> None:
    """Neither drawn up, nor under a digest that somebody wrote by hand."""
    write(ops)
    sign(ops)
    assert said(ops.run("repair", "new", UNDO, "--undo", WORK, "--author", "wei@contractor")) == (
        10,
        f"error: {WORK} has not run on example\n"
        f"hint: dbops repair list; dbops audit log --work {WORK}\n",
    )
    done(mend(ops))
    undo_agreed(ops, UNDO)
    manifest = folder(ops, UNDO) / "repair.yml"
    text = manifest.read_text("utf-8")
    manifest.write_text(re.sub("bundles: .*", f"bundles: [{'0' * 64}]", text), "utf-8")
    sign(ops, UNDO)
    refused = take_back(ops, UNDO)
    assert refused.exit_code == 10
    assert "error: no bundle" in refused.stderr


def test_nobody_runs_it_unasked(ops: Ops) -> None:
    """Without a terminal and without --yes nothing is run, and the question tells the counts."""
    write(ops)
    sign(ops)
    assert said(ops.run("repair", "run", WORK)) == (
        2,
        f"error: nobody is there to be asked: run {WORK} on example:"
        " visit (0 inserted, 3 updated, 0 deleted)?\n"
        "hint: add --yes to the command\n",
    )
    assert wards(ops) == BEFORE


def test_nobody_is_asked_about_what_may_not_run(ops: Ops) -> None:
    """The approvals are judged before the question; the ledger has each attempt once."""
    write(ops)
    ops.commit()
    unasked, refused = said(ops.run("repair", "run", WORK)), said(mend(ops))
    assert unasked == refused
    assert refused[0] == 5
    codes = [record.code for record in records_of(ops.root, Event.REPAIR_RUN)]
    assert codes == ["request-missing"] * 2
