"""Requests, approvals and rejections: what is written counts, and what would not is not written."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustRoot
from dbops.errors import DbopsError, Failed, Refused, UsageFault
from dbops.review.decide import Decided, DecideOrder, approve_work, reject_work, request_work
from dbops.review.folder import read_work
from dbops.review.judge import Judgement, judge
from dbops.review.policy import Policy
from dbops.review.statement import Decision, parse_statement
from dbops.review.statement_files import write_statement
from dbops.review.work import SignedText, Work, read_manifest
from tests.fix_tools import require_root, require_tool
from tests.review.desk import (
    DATABASE,
    FOLDER,
    ID,
    IDENTITY,
    NOW,
    Desk,
    made_desk,
    sha256,
    signer_of,
)

AUTHOR, NA, LEI, JIE = "wang.fang@site", "li.na@hospital", "zhao.lei@hospital", "sun.jie@hospital"
NONCE = "5" * 32
Decide = Callable[[DecideOrder, Policy, TrustRoot, Signer, datetime, str], Decided]

break_glass = partial(approve_work, break_glass=True)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A rehearsed repair about which nobody has said anything."""
    made = made_desk(tmp_path)
    for principal in (AUTHOR, NA, LEI):
        made.remove(principal)
    (made.folder / "approvals").rmdir()
    return made


def work_of(desk: Desk) -> Work:
    """The work as it lies there."""
    return read_work(desk.tree.path, desk.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person says beside yes or no."""

    identities: Mapping[str, str] | None = None
    work: Work | None = None
    role: str | None = None
    not_after: datetime | None = None
    note: str | None = None


def decide(desk: Desk, how: Decide, who: str, said: Said = Said()) -> Decided:
    """One person decides."""
    order = DecideOrder(
        worktree=desk.tree.path,
        work=said.work or work_of(desk),
        identities=said.identities,
        role=said.role,
        not_after=said.not_after,
        note=said.note,
    )
    return how(order, desk.read_policy(), desk.trust_root(), signer_of(who), NOW, NONCE)


def ask(desk: Desk, *, not_after: datetime | None = None, note: str | None = None) -> Decided:
    """The author asks."""
    said = Said(identities={DATABASE: IDENTITY}, not_after=not_after, note=note)
    return decide(desk, request_work, AUTHOR, said)


def fault(desk: Desk, how: Decide, who: str, said: Said = Said()) -> DbopsError:
    """The error of a decision; nothing is written."""
    before = desk.files(), sorted(desk.folder.rglob("*"))
    with pytest.raises(DbopsError) as caught:
        decide(desk, how, who, said)
    assert (desk.files(), sorted(desk.folder.rglob("*"))) == before
    return caught.value


def judged(desk: Desk) -> Judgement:
    """The judgement of the folder, committed or not."""
    work = work_of(desk)
    policy, trust = desk.read_policy(), desk.trust_root()
    now = NOW + timedelta(minutes=1)
    manifest = read_manifest(work)
    return judge(work, manifest, policy, trust, desk.memory, desk.identities, DATABASE, now)


def test_what_is_decided_counts(desk: Desk) -> None:
    """A request and the approvals that the policy asks for make the work complete."""
    asked = ask(desk)
    assert not judged(desk).complete
    approved = [decide(desk, approve_work, who) for who in (NA, LEI)]
    judgement = judged(desk)
    assert judgement.complete
    assert set(judgement.approvals) == {asked.sha256, *(each.sha256 for each in approved)}


def test_the_statement_says_what_was_meant(desk: Desk) -> None:
    """Everything in it comes from the work, the policy, the trust root and the order."""
    asked = ask(desk, note="ticket LAB-4812")
    said = approve_early(desk)
    statement = said.statement
    assert said.path == desk.folder / "approvals" / f"{NA}.txt"
    assert sha256(said.path.read_bytes()) == said.sha256
    assert parse_statement(said.path.read_bytes()) == statement
    assert (statement.decision, statement.id, statement.signer) == (Decision.APPROVE, ID, NA)
    assert (statement.role, statement.request) == ("it-department", asked.sha256)
    assert statement.databases == {DATABASE: IDENTITY}
    assert statement.limits == ("rows: 50", "lock_wait: 5s")
    assert statement.files == work_of(desk).digests
    assert statement.signed_at == NOW
    assert statement.not_after == NOW + timedelta(hours=2)
    assert (statement.nonce, statement.note) == (NONCE, "looked")
    assert asked.statement.role == "engineer"
    assert asked.statement.not_after == NOW + timedelta(days=7)  # the stricter of two rules


def approve_early(desk: Desk) -> Decided:
    """An approval for two hours."""
    until = NOW + timedelta(hours=2, microseconds=5)
    return decide(desk, approve_work, NA, Said(not_after=until, note="looked"))


def test_ssh_keygen_agrees(desk: Desk) -> None:
    """OpenSSH verifies the two files with the trust root as it is."""
    tool = require_tool("ssh-keygen", "openssh-client")
    path = ask(desk).path
    command: list[str | Path] = [tool, "-Y", "verify", "-f", desk.allowed, "-I", AUTHOR]
    command += ["-n", Namespace.REQUEST.value, "-s", f"{path}.sig"]
    done = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_approval_ends_with_the_request(desk: Desk) -> None:
    """Without a time of its own, it counts no longer than what it answers."""
    ask(desk, not_after=NOW + timedelta(hours=5))
    assert decide(desk, approve_work, NA).statement.not_after == NOW + timedelta(hours=5)


def test_broken_glass_stands_in_for_everybody(desk: Desk) -> None:
    """It counts for the hours of the policy, and says why."""
    ask(desk)
    said = decide(desk, break_glass, JIE, Said(note="the lab cannot book samples"))
    assert said.statement.decision is Decision.BREAK_GLASS
    assert said.statement.not_after == NOW + timedelta(hours=4)
    judgement = judged(desk)
    assert (judgement.complete, judgement.break_glass) == (True, True)


def test_a_rejection_forbids_until_its_signer_approves(desk: Desk) -> None:
    """One file speaks for a person: the later decision replaces the earlier one."""
    ask(desk)
    decide(desk, approve_work, LEI)
    decide(desk, approve_work, NA)
    decide(desk, reject_work, NA, Said(note="the ward is not closed"))
    assert [reason.code for reason in judged(desk).faults] == ["rejected"]
    decide(desk, approve_work, NA)
    assert judged(desk).complete


def test_asking_again_voids_the_answers(desk: Desk) -> None:
    """An approval answers one request, by its digest."""
    ask(desk)
    decide(desk, approve_work, NA)
    ask(desk, note="again")
    assert "request-other" in [reason.code for reason in judged(desk).reasons]


def test_only_the_author_asks(desk: Desk) -> None:
    """The manifest names who asks, by principal."""
    found = fault(desk, request_work, "wang.second@site")
    assert found.code == "author-differs"
    assert found.message == f"the author is {AUTHOR}, not wang.second@site"
    assert found.hint == f"dbops review show {ID}"


def test_a_request_names_the_databases_that_are_meant(desk: Desk) -> None:
    """Without the engine's own identity nobody knows what is asked for."""
    assert fault(desk, request_work, AUTHOR).code == "database-unidentified"


@pytest.mark.parametrize(
    ("how", "who", "code"),
    [
        (approve_work, "wang.second@site", "approval-by-author"),
        (reject_work, AUTHOR, "rejection-by-author"),
        (approve_work, "chen.yi@site", "approval-role"),
        (reject_work, "chen.yi@site", "rejection-role"),
        (approve_work, "git@host", "trust-namespace"),
        (approve_work, "stranger@site", "trust-key-unknown"),
    ],
)
def test_who_cannot_decide_is_told(desk: Desk, how: Decide, who: str, code: str) -> None:
    """The key is not used for a statement that would not count."""
    ask(desk)
    assert fault(desk, how, who, Said(note="no")).code == code


def test_a_role_is_one_that_the_person_has(desk: Desk) -> None:
    """Naming another role is refused, and the one that is asked for is found."""
    ask(desk)
    assert fault(desk, approve_work, NA, Said(role="ward")).code == "approval-role"
    found = decide(desk, approve_work, NA, Said(role="it-department"))
    assert found.statement.role == "it-department"


def test_who_has_two_roles_names_one(desk: Desk) -> None:
    """One approval is for one role."""
    text = desk.policy.read_text().replace('ward = ["chen-yi"]', 'ward = ["li-na"]')
    desk.policy.write_text(text.replace("{ it-department = 2 }", "{ it-department = 2, ward = 1 }"))
    ask(desk)
    found = fault(desk, approve_work, NA)
    assert isinstance(found, UsageFault)
    assert found.code == "decide-role"
    assert found.message == (
        "li-na can approve as it-department, ward, and one approval is for one role"
    )
    assert decide(desk, approve_work, NA, Said(role="ward")).statement.role == "ward"


@pytest.mark.parametrize(
    ("who", "code"), [(NA, "breakglass-role"), (AUTHOR, "breakglass-by-author")]
)
def test_not_everybody_breaks_glass(desk: Desk, who: str, code: str) -> None:
    """The role of the policy does, and never the author."""
    ask(desk)
    assert fault(desk, break_glass, who, Said(note="urgent")).code == code


@pytest.mark.parametrize(
    ("how", "who"), [(reject_work, NA), (break_glass, JIE)], ids=["reject", "break glass"]
)
def test_a_reason_is_given_where_one_is_due(desk: Desk, how: Decide, who: str) -> None:
    """A rejection and a broken glass say why."""
    ask(desk)
    assert fault(desk, how, who).code == "statement-note"


def test_nothing_is_answered_before_it_is_asked(desk: Desk) -> None:
    """An answer names the request."""
    assert fault(desk, approve_work, NA).code == "request-missing"


def test_an_old_request_cannot_be_approved_but_rejected(desk: Desk) -> None:
    """After one byte of the script changed, the author has to ask again."""
    ask(desk)
    desk.edit("repair.sql", "OLD", "OLE")
    assert fault(desk, approve_work, NA).code == "file-changed"
    assert decide(desk, reject_work, NA, Said(note="wrong ward")).statement.note == "wrong ward"


def test_another_database_behind_the_name_is_noticed(desk: Desk) -> None:
    """Who can see the live database does not sign for another."""
    ask(desk)
    with pytest.raises(Refused) as caught:
        decide(desk, approve_work, NA, Said(identities={DATABASE: "postgresql:1:1"}))
    assert caught.value.code == "database-identity"


def test_the_policy_bounds_the_time(desk: Desk) -> None:
    """A wish for longer is refused, one for a time gone by as well."""
    until = NOW + timedelta(days=7, seconds=1)
    with pytest.raises(Refused) as caught:
        ask(desk, not_after=until)
    assert caught.value.code == "request-too-long"
    assert caught.value.message == "the policy lets it count for 7d at most"
    assert caught.value.hint == "ask for less: --valid 7d"
    with pytest.raises(Refused) as caught:
        ask(desk, not_after=NOW)
    assert caught.value.code == "statement-time"


def test_what_no_rule_covers_is_not_asked_for(desk: Desk) -> None:
    """A policy that is silent allows nothing, and one that asks nobody needs no signature."""
    text = desk.policy.read_text()
    desk.policy.write_text(text.replace('["repair"]', '["change"]'))
    assert fault(desk, request_work, AUTHOR).code == "policy-no-rule"
    desk.policy.write_text(text.partition("[[rules]]")[0] + '[[rules]]\nkinds = ["repair"]\n')
    assert fault(desk, request_work, AUTHOR).code == "policy-asks-nothing"


def test_hidden_characters_are_not_signed(desk: Desk) -> None:
    """What reads as something else than it is gets no signature."""
    desk.write("repair.sql", "UPDATE visit SET ward = '\u202eTRO'\n")
    with pytest.raises(Refused) as caught:
        ask(desk)
    assert caught.value.code == "text-hidden"


def test_the_file_of_another_person_stays(desk: Desk) -> None:
    """A name that differs in case, or a text by somebody else, is not written over."""
    ask(desk)
    desk.write("approvals/Li.Na@hospital.txt", "x\n")
    found = fault(desk, approve_work, NA)
    assert found.code == "statement-other"
    assert found.message == f"approvals/Li.Na@hospital.txt is not {NA}'s"
    (desk.folder / "approvals/Li.Na@hospital.txt").unlink()
    desk.sign(LEI, name=NA)
    assert fault(desk, approve_work, NA).code == "statement-other"


def test_half_a_statement_is_replaced(desk: Desk) -> None:
    """What a crash left is mended by deciding again."""
    ask(desk)
    desk.write(f"approvals/{NA}.txt", "")
    decide(desk, approve_work, NA)
    decide(desk, approve_work, LEI)
    assert judged(desk).complete


def test_what_was_shown_is_what_is_signed(desk: Desk) -> None:
    """A file that changes after it was shown is not in the statement."""
    shown = work_of(desk)
    desk.write("repair.sql", "DROP TABLE visit\n")
    said = decide(desk, request_work, AUTHOR, Said(work=shown, identities={DATABASE: IDENTITY}))
    assert said.statement.files == shown.digests
    assert "file-changed" in [reason.code for reason in judged(desk).reasons]


def test_nothing_is_written_through_a_link(desk: Desk, tmp_path: Path) -> None:
    """Root, deciding in an engineer's folder, writes nowhere else."""
    work = work_of(desk)
    target = tmp_path / "target"
    target.mkdir()
    (desk.folder / "approvals").symlink_to(target)
    with pytest.raises(Failed) as caught:
        decide(desk, request_work, AUTHOR, Said(work=work, identities={DATABASE: IDENTITY}))
    assert caught.value.code == "decide-write"
    (desk.folder / "approvals").unlink()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (desk.folder / "approvals").mkdir()
    (desk.folder / f"approvals/{AUTHOR}.txt").symlink_to(victim)
    decide(desk, request_work, AUTHOR, Said(work=work, identities={DATABASE: IDENTITY}))
    assert victim.read_text() == "precious"
    assert stat.S_ISREG((desk.folder / f"approvals/{AUTHOR}.txt").lstat().st_mode)
    desk.folder.rename(tmp_path / "moved")
    desk.folder.symlink_to(tmp_path / "moved")
    with pytest.raises(Refused) as refused:
        decide(desk, request_work, AUTHOR, Said(work=work, identities={DATABASE: IDENTITY}))
    assert refused.value.code == "work-link"


def test_a_failed_write_leaves_nothing(desk: Desk) -> None:
    """No temporary file stays, and both old files do."""
    write_statement(desk.tree.path, FOLDER, NA, SignedText(b"old\n", b"old\n"))
    (desk.folder / f"approvals/{NA}.txt.sig").unlink()
    (desk.folder / f"approvals/{NA}.txt.sig").mkdir()
    with pytest.raises(Failed) as caught:
        write_statement(desk.tree.path, FOLDER, NA, SignedText(b"new\n", b"new\n"))
    assert caught.value.message == (
        f"the statement could not be written to {FOLDER}/approvals (EISDIR)"
    )
    assert [path.name for path in desk.folder.parent.iterdir()] == [ID]


def test_root_writes_for_the_folders_owner(desk: Desk) -> None:
    """Who owns the folder can commit the statement, and take it away."""
    require_root("giving files away")
    os.chown(desk.folder, 65534, 65534)
    path = ask(desk).path
    for each in (path, path.parent, path.with_name(path.name + ".sig")):
        assert (each.stat().st_uid, each.stat().st_gid) == (65534, 65534)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
