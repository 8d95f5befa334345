"""What another ledger began is brought to an end under signatures that hold for that, here."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import DigestOf, Effect, Event, Label
from dbops.change.attest import attested_files
from dbops.change.rehearsed_files import made_by_rehearsal
from dbops.change.resume import Onward
from dbops.change.stage import Stage
from dbops.change.step import Direction
from dbops.cli.change_resume_refusals import refuse_unprotected_rules
from dbops.cli.change_settling import settle
from dbops.cli.change_unsettled import Unsettled, left_by_others
from dbops.cli.changing import read_change
from dbops.cli.rehearsal_ground import evidence_signer
from dbops.cli.wiring import Wiring
from dbops.errors import Refused
from dbops.estate.load import load_estate
from dbops.review.work import EVIDENCE, EVIDENCE_SIGNATURE
from tests.cli.changes import WORK, approve, folder, request, run
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import done, said, wiring_of
from tests.cli.settling import (
    DOWN,
    TOUCHES,
    UP,
    agreed_to,
    at,
    broken_off,
    forget,
    has_run,
    killed,
    open_intents,
    outcome,
    resumes,
    run_watched,
    runs_of_journal,
    state,
    void,
)
from tests.fix_tools import require_root
from tests.support.ledger import records_of
from tests.support.ops_tree import protected_place

WITH_NAMES = f"""\
{UP.partition("-- part: phones")[0]}-- part: names
CREATE INDEX place_name ON place (name);
"""
GUARDED = f"DROP INDEX IF EXISTS place_name;\n-- part: index\n{DOWN}"
MAY_NOT = f"error: {WORK} began on example under another ledger, and what lies here may not "
MISSING = f"hint: check out the commit that ran; what is missing: dbops review show {WORK}\n"
OLD = timedelta(days=8)  # the policy's evidence_age is 7 days


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with a change of three parts, which can be taken back half way as well."""
    touches = (*TOUCHES[:2], "create index place_name")
    return agreed_to(tmp_path_factory.mktemp("settled") / "estate", WITH_NAMES, GUARDED, touches)


@pytest.fixture
def ops(signed: Ops, tmp_path: Path) -> Ops:
    """A run was killed behind the first part, and its ledger is another host's."""
    found = broken_off(signed, tmp_path / "estate", Stage.COMMITTED)
    forget(found)
    return found


def refused(estate: Ops, *more: str) -> str:
    """What `resume` says; neither the journal nor the ledger has anything of it."""
    before = runs_of_journal(estate)
    status, text = said(estate.run("change", "resume", WORK, *more))
    assert status == 5
    assert runs_of_journal(estate) == before
    assert resumes(estate) == []
    return text


def aged(estate: Ops) -> None:
    """What was rehearsed is older than the policy has it, and signed by everybody all the same."""
    wiring = wiring_of(estate)
    work, now = read_change(wiring, WORK).work, wiring.clock()
    own = made_by_rehearsal(work.files) - {EVIDENCE, EVIDENCE_SIGNATURE}
    kept = {path: work.files[path] for path in own}
    signer = evidence_signer(wiring)
    for name, data in attested_files(work, "test", ("example",), kept, signer, now - OLD).items():
        (folder(estate) / name).write_bytes(data)
    request(estate)
    approve(estate)
    assert "evidence.yml: it is older than the 7d of the policy" in run(estate).stderr


def rejected(estate: Ops) -> None:
    """Somebody of the IT department does not want it."""
    words = ("--key", estate.key("li"), "--yes", "--reason", "no")
    done(estate.review("reject", WORK, *words))


def test_a_copy_elsewhere_is_not_written_to(ops: Ops) -> None:
    """The name of the database stays, and it is another one than people signed for."""
    shutil.copy(ops.root / "example.db", ops.root / "elsewhere.db")
    config = ops.root / "dbops.toml"
    text = config.read_text("utf-8")
    config.write_text(text.replace('path = "example.db"', 'path = "elsewhere.db"', 1), "utf-8")
    assert refused(ops) == (
        f"{MAY_NOT}run: changes/{WORK}/approvals/wei@contractor.txt: example is another database"
        " now than when it was signed\n"
        "hint: let the name in dbops.toml lead to the one that was signed for:"
        f" dbops review show {WORK}\n"
    )


def test_a_signature_for_the_way_back_is_for_nothing_else(ops: Ops) -> None:
    """The rest of up.sql is not run under it; what is done is taken back."""
    request(ops, takes_back=True)
    approve(ops)
    assert refused(ops) == (
        f"{MAY_NOT}run: changes/{WORK}/approvals/wei@contractor.txt: it is to take the change back"
        " (down.sql), and not to run the change (up.sql)\n"
        f"hint: take it back: dbops change resume {WORK} --revert; or have it asked for:"
        f" dbops review request {WORK} --key KEY\n"
    )
    told = done(ops.run("change", "resume", WORK, "--revert")).stdout
    assert told.endswith("): 1 of 3 steps were done; they are taken back\n")


def test_a_signature_to_run_it_counts_for_its_way_back(ops: Ops) -> None:
    """What lies in its down.sql was approved with it; a host without a ledger begins one."""
    shutil.rmtree(ops.root / "audit")
    told = done(ops.run("change", "resume", WORK, "--revert")).stdout
    assert told.endswith("): 1 of 3 steps were done; they are taken back\n")


def test_nobody_approved_the_way_back_either(ops: Ops) -> None:
    """Half a change is not taken back for another ledger where nobody signed anything."""
    shutil.rmtree(folder(ops) / "approvals")
    assert refused(ops, "--revert") == (
        f"{MAY_NOT}take it back: the request of the author, wei@contractor, is missing\n{MISSING}"
    )


def test_half_a_way_back_goes_on_under_its_signature(signed: Ops, tmp_path: Path) -> None:
    """Nobody has to say --revert: the journal knows which way it went."""
    found = has_run(signed, tmp_path / "estate")
    request(found, takes_back=True)
    approve(found)
    killed(lambda: run_watched(found, at(Stage.COMMITTED), Direction.DOWN))
    forget(found)
    told = done(found.run("change", "resume", WORK)).stdout
    assert told.endswith(
        "): 1 of 3 steps were done of the way back; now all are, and the schema is as it was\n"
    )


def test_a_rejection_that_was_seen_here_stays(ops: Ops) -> None:
    """Though its file is gone, and the approval that it replaced lies there again."""
    approvals = folder(ops) / "approvals"
    kept = {path: path.read_bytes() for path in approvals.iterdir()}
    rejected(ops)
    assert refused(ops) == (
        f"{MAY_NOT}run: changes/{WORK}/approvals/li.na@hospital.txt: li-na rejected it\n{MISSING}"
    )
    assert "reject" in {
        each.names[Label.DECISION] for each in records_of(ops.root, Event.REVIEW_SEEN)
    }
    for path, data in kept.items():
        path.write_bytes(data)
    assert refused(ops) == (
        f"{MAY_NOT}run: li-na rejected {WORK}, and that rejection is gone\n{MISSING}"
    )


def test_rules_that_others_can_write_decide_nothing(ops: Ops) -> None:
    """Whoever could change the policy could have approved it himself."""
    require_root("files that belong to root")
    with protected_place(ops.root.parent) as place:
        moved = copy_ops(ops, place / "estate")
        policy = moved.root / "trust" / "policy.toml"
        policy.write_text(policy.read_text("utf-8").replace("demo = true\n", ""), "utf-8")
        policy.chmod(0o666)
        assert refused(moved).startswith(f"error: other accounts can write {policy} (mode 0666)")


def test_the_rules_of_a_demo_reach_no_server(ops: Ops) -> None:
    """Whose password is not a file of the demo's own."""
    path = ops.root / "dbops.toml"
    with path.open("a", encoding="utf-8") as file:
        file.write('\n[targets.far]\nengine = "postgresql"\nhost = "127.0.0.1"\n')
        file.write('dbname = "x"\nuser = "x"\npassword = { env = "X" }\n')
    wiring = Wiring(load_estate(path), {})
    with pytest.raises(Refused) as caught:
        refuse_unprotected_rules(wiring, Unsettled(WORK, "far"))
    assert caught.value.code == "demo-outside"


@pytest.mark.parametrize("more", [(), ("--revert",)])
def test_evidence_may_age_while_a_change_is_half_done(ops: Ops, more: tuple[str, ...]) -> None:
    """It was fresh when the change began, and nothing half done can be rehearsed anew."""
    aged(ops)
    done(ops.run("change", "resume", WORK, *more))
    assert open_intents(ops) == []
    assert state(ops) == ("reverted" if more else "run")


def test_nobody_is_asked_about_what_has_its_end(signed: Ops, tmp_path: Path) -> None:
    """A host takes note of what ran, whatever has become of the signatures since."""
    found = has_run(signed, tmp_path / "estate")
    forget(found)
    shutil.rmtree(folder(found) / "approvals")
    told = done(found.run("change", "resume", WORK)).stdout
    assert told == f"{WORK} on example (not in this host's ledger): it took place, to its end\n"
    assert state(found) == "run"
    (deed,) = resumes(found)
    assert outcome(deed).effect is Effect.COMMITTED


def test_who_died_behind_the_end_is_answered_without_signatures(ops: Ops) -> None:
    """Of what this host finished for another one, when its outcome was all that was left."""
    wiring = wiring_of(ops)
    (left,) = left_by_others(wiring, WORK, None)
    killed(lambda: void(settle(wiring, left, Onward.FINISH, at(Stage.COMMITTED, 2))))
    assert open_intents(ops) == [Event.CHANGE_RESUME]
    shutil.rmtree(folder(ops) / "approvals")
    told = done(ops.run("change", "resume")).stdout
    assert told.endswith("): it took place, to its end\n")
    assert open_intents(ops) == []


def test_the_ledger_says_what_allowed_it_here(ops: Ops) -> None:
    """As a run does: the signatures, the files and the database; they are used up with it."""
    done(ops.run("change", "resume", WORK))
    (deed,) = resumes(ops)
    files = {path.name: path for path in (folder(ops) / "approvals").iterdir()}
    assert len(deed.intent.approvals) == len([name for name in files if name.endswith(".txt")])
    assert Label.IDENTITY in deed.intent.names
    assert DigestOf.PLAN in deed.intent.digests
    assert outcome(deed).effect is Effect.COMMITTED
    assert "it was done" in ops.run("review", "check", WORK).stdout
