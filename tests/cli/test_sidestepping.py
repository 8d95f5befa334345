"""Ways around the sign-off that go by another name, another option or a second broken glass."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import Result

from dbops.audit.entry import Effect, Event
from dbops.cli.backup_hold import _Order, _write
from dbops.cli.entries import fit_ticket
from dbops.cli.wiring import Wiring
from dbops.errors import Unreachable
from dbops.estate.load import load_estate
from tests.cli.ops import WORK, Ops, copy_ops, found_ops
from tests.cli.test_review_gate import break_glass
from tests.support.ledger import deeds_of

OTHER = "2026-118-copy"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with persons and one backup."""
    return found_ops(tmp_path_factory.mktemp("around") / "estate")


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def agreed_into(ops: Ops, place: Path) -> Callable[[], Result]:
    """Everybody has agreed to a restore over the file at `place`; what is returned runs it."""
    said = ("--title", "over it", "--author", "wei@contractor")
    for result in (
        ops.review(
            *("new", "restore", OTHER, "--from", "example@1", "--to", place, "--overwrite", *said)
        ),
        ops.review("request", OTHER, "--key", ops.key("wei"), "--yes"),
        ops.review("approve", OTHER, "--key", ops.key("li"), "--yes"),
    ):
        assert result.exit_code == 0, result.output
    ops.commit()
    words = ("restore", "run", "example@1", "--to", place, "--overwrite", place)
    return lambda: ops.run(*words, "--review", OTHER)


@pytest.mark.parametrize("end", ["", "-wal", "-journal"])
def test_a_path_is_no_second_name_of_a_database(ops: Ops, end: str) -> None:
    """Its own rules and its identity go by its name; what stands beside it belongs to it."""
    target = ops.root / f"example.db{end}"
    before = (ops.root / "example.db").read_bytes()
    target.touch()
    result = agreed_into(ops, target)()
    assert (result.exit_code, result.stderr) == (
        5,
        f"error: {target} is a file of example, whose own rules count\n"
        "hint: name it as the estate does: --to example\n",
    )
    assert (ops.root / "example.db").read_bytes() == before
    assert target.exists()


def test_a_path_over_a_link_is_no_second_name_either(ops: Ops) -> None:
    """Also where nobody need agree to what lies at a path."""
    (ops.root / "mine").symlink_to(ops.root)
    policy = ops.root / "trust" / "policy.toml"
    text = policy.read_text("utf-8").replace("quorum = { it-department = 1 }", "quorum = {}")
    policy.write_text(text, "utf-8")
    target = ops.root / "mine" / "example.db"
    result = ops.run("restore", "run", "example@1", "--to", target, "--overwrite", target)
    assert result.exit_code == 5
    assert result.stderr.startswith(f"error: {target} is a file of example,")


def test_a_link_that_came_after_the_approval_is_not_followed(ops: Ops) -> None:
    """The place is what was approved, not where a link leads by then."""
    mine, theirs = ops.root / "mine", ops.root / "theirs"
    mine.mkdir()
    run = agreed_into(ops, mine / "new.db")
    mine.rmdir()
    theirs.mkdir()
    (theirs / "new.db").write_bytes(b"kept")
    mine.symlink_to(theirs)
    result = run()
    assert (result.exit_code, result.stderr) == (
        5,
        f"error: the way to {mine}/new.db leads over a link, so it is not the place that was"
        f" approved\nhint: have the place itself approved: readlink -f {mine}\n",
    )
    assert (theirs / "new.db").read_bytes() == b"kept"


def test_a_comma_does_not_join_two_tables(ops: Ops) -> None:
    """One table `a, b` is not the approved tables a and b."""
    result = ops.run(
        *("restore", "run", "example@1", "--to", "copy", "--table", "a, b", "--review", WORK)
    )
    assert (result.exit_code, result.stderr) == (
        2,
        "error: approved work names no table with a comma\n"
        "hint: name each table by a --table of its own\n",
    )


def test_the_estate_is_named_once(ops: Ops) -> None:
    """Behind the one that a sudo rule names, nobody can put one of his own."""
    result = ops.run("--estate", ops.root / "dbops.toml", "systems", "list")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: --estate stands there twice\nhint: name one: dbops --estate FILE …\n",
    )


def test_a_second_broken_glass_is_no_review_of_the_first(ops: Ops) -> None:
    """Those must agree whom the policy asks, and not others who may decide alone."""
    policy = ops.root / "trust" / "policy.toml"
    text = policy.read_text("utf-8").replace('break-glass = ["', 'break-glass = ["li-na", "')
    policy.write_text(text, "utf-8")
    signers = ops.root / "trust" / "allowed_signers"
    may = 'li.na@hospital namespaces="dbops-approval@v1,'
    text = signers.read_text("utf-8").replace(may, f"{may}dbops-breakglass@v1,")
    signers.write_text(text, "utf-8")
    break_glass(ops, "gu")
    assert ops.sign("approve", "li", "--break-glass", "--note", "me too").exit_code == 0
    ops.commit()
    result = ops.review("confirm", WORK)
    assert result.exit_code == 5
    assert f"{WORK} was not reviewed by everybody yet" in result.stderr


def test_nobody_reviews_what_nobody_is_asked_about(ops: Ops) -> None:
    """A policy that asks nothing by now makes no review of what was done alone before."""
    break_glass(ops, "gu")
    policy = ops.root / "trust" / "policy.toml"
    text = policy.read_text("utf-8").replace("quorum = { it-department = 1 }", "quorum = {}")
    policy.write_text(text, "utf-8")
    result = ops.review("confirm", WORK)
    assert (result.exit_code, result.stderr) == (
        5,
        f"error: the policy asks nobody to agree to {WORK}, so nobody can review it\n"
        "hint: have a rule that names who reviews it: dbops trust show\n",
    )


def test_lint_names_a_rule_for_no_database(ops: Ops) -> None:
    """A misspelt name leaves the stricter rule without effect."""
    policy = ops.root / "trust" / "policy.toml"
    rule = '\n[[rules]]\nkinds = ["restore"]\ndatabases = ["exmaple"]\n'
    policy.write_text(policy.read_text("utf-8") + rule, "utf-8")
    found = ops.run("trust", "lint")
    assert found.exit_code == 4
    assert "rule 6 is for exmaple, which is no database or target of the estate" in found.stdout


@pytest.mark.parametrize(
    ("ticket", "kept"),
    [
        ("LAB-4812", True),
        ("工单/4812", True),
        ("13800138000", False),
        ("ask about Zhang San", False),
        ("x" * 41, False),
    ],
)
def test_a_ticket_is_a_word(ticket: str, kept: bool) -> None:
    """An engineer's free text stays out of a record that can never be changed."""
    digest = f"sha256:{hashlib.sha256(ticket.encode()).hexdigest()}"
    assert fit_ticket(ticket) == (ticket if kept else digest)


def test_a_release_whose_storage_went_away_may_have_taken_place(ops: Ops) -> None:
    """So its approval is used up, though it ended in an error."""

    def gone(*_: object) -> NoReturn:
        raise Unreachable("store-unreachable", "it went away", hint="look at it")

    wiring = Wiring(load_estate(ops.root / "dbops.toml"), {})
    with pytest.raises(Unreachable):
        _write(wiring, _Order(Event.BACKUP_RELEASE, "example@1", "over", gone))
    (deed,) = deeds_of(ops.root, Event.BACKUP_RELEASE)
    assert deed.outcome is not None
    assert deed.outcome.effect is Effect.UNKNOWN
