"""Commands that need approval: which do, what the ledger says of it, and what uses it up.

What a restore's approval must look like is told in `test_review_gate.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result

from dbops.audit.entry import DigestOf, Effect, Event, Label
from dbops.audit.entry import Result as Ended
from dbops.errors import Unreachable
from dbops.review.authorize import only_run
from tests.cli.ops import WORK, Ops, copy_ops, found_ops
from tests.support.estate import DATABASE, open_test_estate
from tests.support.ledger import deeds_of, lines_of, records_of

FIRST = f"{DATABASE}@1"
RESTORE = ("restore", "run", FIRST, "--to", "copy")
RELEASE = ("backup", "release", FIRST, "--reason", "the inquiry is closed")
SIGNING = ("keys", "recipients", "sign", "--remove", "verifier", "--yes", "--key")
LIST = "2026-003"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with persons and one backup, which is on hold."""
    ops = found_ops(tmp_path_factory.mktemp("gates") / "estate")
    done = ops.run("backup", "hold", FIRST, "--reason", "inquiry")
    assert done.exit_code == 0, done.output
    return ops


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def asked(ops: Ops, *words: object) -> None:
    """Afterwards the work WORD… stands in the ops repository, asked for by an engineer."""
    said = ("--title", "for the inquiry", "--author", "wei@contractor")
    assert_done(ops.review("new", *words, *said))
    ops.commit()


def agreed(ops: Ops, work: str) -> None:
    """Afterwards the author has asked, the IT department has approved, and all is committed."""
    for verb, person in (("request", "wei"), ("approve", "li")):
        assert_done(ops.review(verb, work, "--key", ops.key(person), "--yes"))
    ops.commit()


def assert_done(result: Result) -> None:
    assert result.exit_code == 0, result.output


def is_held(ops: Ops) -> bool:
    return open_test_estate(ops.root).history().backups[0].held


def recipients(ops: Ops) -> bytes:
    return (ops.root / "trust" / "recipients").read_bytes()


@pytest.mark.parametrize(
    ("words", "event"),
    [
        (RESTORE, Event.RESTORE_RUN),
        (RELEASE, Event.BACKUP_RELEASE),
        (SIGNING, Event.KEYS_RECIPIENTS),
    ],
    ids=["restore", "release", "recipients"],
)
def test_nothing_runs_without_approval(ops: Ops, words: tuple[str, ...], event: Event) -> None:
    """It is refused with what to do about it, the attempt is recorded, and nothing has changed."""
    before = recipients(ops)
    key = (ops.root / "hospital" / "signing",) if words is SIGNING else ()
    done = ops.run(*words, *key)
    assert done.exit_code == 5
    assert "error: the policy asks that " in done.stderr
    (record,) = records_of(ops.root, event)
    assert (record.result, record.effect) == (Ended.REFUSED, Effect.NONE)
    assert record.code == "review-needed"
    assert deeds_of(ops.root, event) == []
    assert not (ops.root / "copy.db").exists()
    assert is_held(ops)
    assert recipients(ops) == before


def test_the_ledger_names_what_allowed_a_restore(ops: Ops) -> None:
    """Work, statements and the digest of the files stand in the intent, the effect behind it."""
    ops.agreed()
    assert_done(ops.run(*RESTORE, "--review", WORK))
    (deed,) = deeds_of(ops.root, Event.RESTORE_RUN)
    assert deed.outcome is not None
    assert (deed.intent.target, deed.intent.work) == ("copy", WORK)
    assert len(deed.intent.approvals) == 2
    assert DigestOf.PLAN in deed.intent.digests
    assert Label.DECISION not in deed.intent.names
    assert deed.outcome.effect is Effect.COMMITTED


def test_a_refused_restore_leaves_the_approval(ops: Ops) -> None:
    """What stood in the way is taken away, and the same approval still counts."""
    ops.agreed()
    target = ops.root / "copy.db"
    target.mkdir()
    assert ops.run(*RESTORE, "--review", WORK).exit_code == 5
    (deed,) = deeds_of(ops.root, Event.RESTORE_RUN)
    assert deed.outcome is not None
    assert (deed.outcome.code, deed.outcome.effect) == ("target-occupied", Effect.NONE)
    target.rmdir()
    assert_done(ops.run(*RESTORE, "--review", WORK))


def test_a_restore_into_a_file_uses_its_approval_up(ops: Ops) -> None:
    """A path is no database of the estate, and still the approval is for one run."""
    target = ops.root / "elsewhere.db"
    asked(ops, "restore", "2026-001", "--from", FIRST, "--to", target)
    agreed(ops, "2026-001")
    words = ("restore", "run", FIRST, "--to", target, "--review", "2026-001")
    assert_done(ops.run(*words))
    target.unlink()
    done = ops.run(*words)
    assert done.exit_code == 5
    assert "it was used for a run already" in done.stderr
    assert not target.exists()


def test_an_approved_release(ops: Ops) -> None:
    """With another reason it is other work; as approved the hold goes, and the ledger says why."""
    words = ("--backup", FIRST, "--reason", "the inquiry is closed")
    asked(ops, "release", "2026-002", *words)
    agreed(ops, "2026-002")
    other = ops.run(*RELEASE[:-1], "no reason", "--review", "2026-002")
    assert other.exit_code == 5
    assert (
        '2026-002 was approved with reason "the inquiry is closed", not "no reason"' in other.stderr
    )
    assert is_held(ops)
    assert_done(ops.run(*RELEASE, "--review", "2026-002"))
    assert not is_held(ops)
    (deed,) = deeds_of(ops.root, Event.BACKUP_RELEASE)
    assert (deed.intent.work, len(deed.intent.approvals)) == ("2026-002", 2)
    assert b"closed" not in b"".join(lines_of(ops.root))


def signed_list(ops: Ops) -> Path:
    """A new recipients document, signed, agreed to, and not in place yet."""
    draft = ops.root / "draft"
    assert_done(ops.run(*SIGNING, ops.root / "hospital" / "signing", "--out", draft))
    asked(ops, "recipients", LIST, "--document", draft)
    agreed(ops, LIST)
    return draft


def test_an_approved_recipients_list(ops: Ops) -> None:
    """The very document that was approved is put in place, and cannot be once more."""
    draft, before = signed_list(ops), recipients(ops)
    place = ("keys", "recipients", "sign", "--review", LIST, "--yes")
    done = ops.run(*place)
    assert_done(done)
    assert "- drill verifier " in done.stderr
    assert recipients(ops) == draft.read_bytes()
    (deed,) = deeds_of(ops.root, Event.KEYS_RECIPIENTS)
    assert (deed.intent.work, deed.intent.names[Label.PRINCIPAL]) == (LIST, "hospital")
    (ops.root / "trust" / "recipients").write_bytes(before)
    assert ops.run(*place).exit_code == 5
    assert recipients(ops) == before


@pytest.mark.parametrize("more", [("--remove", "verifier"), ("--out", "x"), ("--key", "k")])
def test_an_approved_list_is_not_signed_again(ops: Ops, more: tuple[str, ...]) -> None:
    """Nothing can be typed beside it that would make it another list."""
    done = ops.run("keys", "recipients", "sign", "--review", LIST, *more)
    assert (done.exit_code, done.stderr) == (
        2,
        "error: --review puts a signed document in place as it was approved: nothing is signed\n"
        f"hint: dbops keys recipients sign --review {LIST}\n",
    )


def test_break_glass_is_recorded_as_that(ops: Ops) -> None:
    """One signature allows the run, and the ledger says that it was an emergency."""
    assert_done(ops.new())
    ops.commit()
    assert_done(ops.sign("request", "wei"))
    assert_done(ops.sign("approve", "gu", "--break-glass", "--note", "the lab stands still"))
    ops.commit()
    assert_done(ops.run(*RESTORE, "--review", WORK))
    (deed,) = deeds_of(ops.root, Event.RESTORE_RUN)
    assert deed.intent.names[Label.DECISION] == "break-glass"


def test_two_runs_of_one_approval_exclude_each_other(ops: Ops) -> None:
    """While one has the leave, the other does not even ask for it."""
    ops.agreed()
    with only_run(open_test_estate(ops.root).wiring.state.locks, WORK):
        done = ops.run(*RESTORE, "--review", WORK)
    assert done.exit_code == Unreachable.status
    assert f"{WORK} is being run already" in done.stderr
    assert deeds_of(ops.root, Event.RESTORE_RUN) == []
    assert_done(ops.run(*RESTORE, "--review", WORK))


def test_verifying_needs_no_approval(ops: Ops) -> None:
    """A restore into scratch is what every night does."""
    assert_done(ops.run("backup", "verify", DATABASE))


def test_an_estate_without_a_policy_refuses(ops: Ops) -> None:
    """Where nobody has said who must agree, nothing runs that could need it."""
    (ops.root / "trust" / "policy.toml").unlink()
    for words in (RESTORE, RELEASE):
        done = ops.run(*words)
        assert done.exit_code == 10
        assert "error: there is no policy: " in done.stderr
