"""A signature says which way a change goes: nobody's word for the one is taken for the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from dbops.cli.root import main
from dbops.crypto.signing import KeyFileSigner
from dbops.review.purpose import Purpose
from dbops.review.statement import Statement, encode_statement, parse_statement
from tests.cli import changes
from tests.cli.changes import WORK, agreed, approve, found_changes, request, revert, run
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, said

UP = "run the change (up.sql)"
DOWN = "take the change back (down.sql)"
STATEMENTS = f"changes/{WORK}/approvals"
WEI, LI = (f"{STATEMENTS}/{who}.txt" for who in ("wei@contractor", "li.na@hospital"))
PEOPLE = {"wei": "wei@contractor", "li": "li.na@hospital"}


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate where the change is rehearsed, signed and run."""
    ops = found_changes(tmp_path_factory.mktemp("purpose") / "estate")
    agreed(ops)
    done(run(ops))
    return ops


@pytest.fixture
def ran(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def place_of(ops: Ops) -> tuple[str, list[str]]:
    """How the change stands on the database, and what is next."""
    (found,) = json.loads(done(ops.run("change", "list", "--json")).stdout)["changes"]
    return found["databases"][0]["state"], found["next"]


def rewrite(ops: Ops, who: str, other: Callable[[Statement], Statement]) -> None:
    """The person has signed another text with the own key, past the command."""
    path = changes.folder(ops) / "approvals" / f"{PEOPLE[who]}.txt"
    statement = other(parse_statement(path.read_bytes()))
    text = encode_statement(statement)
    path.write_bytes(text)
    armor = KeyFileSigner.load(ops.key(who)).sign(text, statement.decision.namespace)
    path.with_name(f"{path.name}.sig").write_text(armor, "ascii")


def test_an_approval_to_run_does_not_take_back(ran: Ops) -> None:
    """What was signed to be run once more is not taken back with these signatures."""
    request(ran)
    approve(ran)
    assert said(revert(ran)) == (
        5,
        f"error: {WORK} may not be taken back: {WEI}: it is to {UP}, and not to {DOWN}"
        " (and 3 more)\n"
        f"hint: have it asked for: dbops review request {WORK} --revert --key KEY\n",
    )
    assert place_of(ran)[0] == "run"


def test_an_approval_to_take_back_does_not_run(ran: Ops) -> None:
    """Approvals of a way back that was gone already are no leave to go forth once more."""
    for _ in range(2):
        request(ran, takes_back=True)
        approve(ran)
        if place_of(ran)[0] == "run":
            assert place_of(ran)[1] == [f"dbops change revert {WORK} --database example"]
            done(revert(ran))
    assert said(run(ran)) == (
        5,
        f"error: {WORK} may not run: {WEI}: it is to {DOWN}, and not to {UP} (and 3 more)\n"
        f"hint: have it asked for: dbops review request {WORK} --key KEY\n",
    )
    assert place_of(ran)[0] == "reverted"
    request(ran)
    approve(ran)
    assert place_of(ran)[1] == [f"dbops change run {WORK}"]
    done(run(ran))


def test_an_approval_is_for_what_was_asked(ran: Ops) -> None:
    """An approval that names the request and says another purpose counts for neither."""
    request(ran)
    approve(ran)
    rewrite(ran, "li", lambda found: replace(found, purpose=Purpose.TAKE_BACK))
    ran.commit()
    (reason, *_) = json.loads(ran.review("show", WORK, "--json").stdout)["missing"]
    assert reason == {
        "code": "purpose-differs",
        "message": f"{LI}: it is for something else than what the author asks for",
    }
    assert run(ran).exit_code == 5
    assert revert(ran).exit_code == 5


def test_a_statement_that_says_no_purpose_counts_for_none(ran: Ops) -> None:
    """As they were written before; it can be read, and has to be signed anew."""
    request(ran)
    approve(ran)
    for who in ("wei", "li"):
        rewrite(ran, who, lambda found: replace(found, purpose=None))
    ran.commit()
    for result in (run(ran), revert(ran)):
        status, text = said(result)
        assert status == 5
        assert f"{WEI}: it does not say which way the change is to go (and " in text
    shown = done(ran.review("show", WORK)).stdout
    assert "purpose    the request does not say\n" in shown


def test_everybody_reads_which_way_it_goes(ran: Ops) -> None:
    """Request, approval, their prompts, show and list say it in the same words."""
    command = ("--estate", str(ran.root / "dbops.toml"), "review")
    typed = ("request", WORK, "--revert", "--key", str(ran.key("wei")))
    asked = CliRunner().invoke(main, [*command, *typed], input="n\n")
    assert f"\npurpose: {DOWN}\n" in asked.stderr
    assert f"nobody is there to be asked: Sign this (request of {WORK}: {DOWN})?\n" in asked.stderr
    request(ran, takes_back=True)
    text = (ran.tree / WEI).read_text("utf-8")
    assert text.splitlines()[3:5] == [f"id: {WORK}", f"purpose: {DOWN}"]
    agreed_to = done(ran.review("approve", WORK, "--key", ran.key("li"), "--yes"))
    assert f"purpose: {DOWN}\n" in agreed_to.stderr
    ran.commit()
    shown = done(ran.review("show", WORK)).stdout
    assert f"purpose    {DOWN}\n" in shown
    assert f"signed by  li.na@hospital: approve as it-department, to {DOWN}, until " in shown
    listed = done(ran.review("list")).stdout
    assert f"{WORK}  change, taken back  " in listed
    done(revert(ran))
    shown = done(ran.review("show", WORK)).stdout
    assert "\ntaken back " in shown


def test_done_work_says_how_it_is_taken_back(ran: Ops) -> None:
    """The next command stands there, and can be typed."""
    shown = done(ran.review("show", WORK)).stdout
    back = f"to take it back: dbops review request {WORK} --revert --key KEY\n"
    assert f"missing    nothing; {back}" in shown
    assert ran.review("check", WORK).stdout == (
        f"{WORK}: it was done; to do it again, have it requested again\n{WORK}: {back}"
    )


def test_what_has_no_way_back_is_not_asked_to_go_it(ran: Ops) -> None:
    """Work of other kinds, a baseline, and a change without a down.sql."""
    baseline = "2026-120-baseline"
    ran.run("change", "record", "example", "--id", baseline, "--author", "wei@contractor")
    words = ("--key", ran.key("wei"), "--yes", "--revert")
    assert said(ran.review("request", baseline, *words)) == (
        5,
        f"error: a change such as {baseline} has no way back of its own\n"
        f"hint: see what it does: dbops review show {baseline}\n",
    )
    (changes.folder(ran) / "down.sql").unlink()
    assert said(ran.review("request", WORK, *words)) == (
        5,
        f"error: {WORK} has no down.sql: it said that its loss is permanent\n"
        "hint: write a change that goes on from here, or restore a backup\n",
    )


def test_a_review_after_break_glass_is_of_what_was_done(ran: Ops) -> None:
    """Who agrees that the change runs has not reviewed that it was taken back alone."""
    request(ran, takes_back=True)
    alone = ("--break-glass", "--note", "夜间无人可联系")
    done(ran.review("approve", WORK, "--key", ran.key("gu"), "--yes", *alone))
    ran.commit()
    done(revert(ran))
    request(ran)
    approve(ran)
    assert said(ran.review("confirm", WORK)) == (
        5,
        f"error: {WORK} was not reviewed by everybody yet: {WEI}: it is to {UP},"
        f" and not to {DOWN} (and 3 more)\n"
        f"hint: have it asked for as it was done: dbops review request {WORK} --revert --key KEY\n",
    )
    request(ran, takes_back=True)
    approve(ran)
    assert done(ran.review("confirm", WORK)).stdout == f"{WORK} was reviewed by li-na\n"


def answered_anew(ops: Ops, limits: tuple[str, ...]) -> None:
    """Author and reviewer have signed these limits, past the command."""
    rewrite(ops, "wei", lambda it: replace(it, limits=limits))
    request_digest = hashlib.sha256((ops.tree / WEI).read_bytes()).hexdigest()
    rewrite(ops, "li", lambda it: replace(it, limits=limits, request=request_digest))
    ops.commit()


def test_people_sign_the_limits_that_hold(ran: Ops) -> None:
    """The defaults too; what an older dbops wrote, only what the manifest says, counts as well."""
    request(ran, takes_back=True)
    approve(ran)
    limits = "limits:\n  lock_wait: 3s\n  statement: 15m\n  attempts: 5\n  pause: 10s\nfiles:\n"
    assert all(limits in (ran.tree / path).read_text("utf-8") for path in (WEI, LI))
    answered_anew(ran, ("lock_wait: 9s", "statement: 15m", "attempts: 5", "pause: 10s"))
    refused = said(revert(ran))
    assert refused[0] == 5
    assert "its limits are not those of the manifest" in refused[1]
    answered_anew(ran, ())
    done(revert(ran))
