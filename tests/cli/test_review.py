"""`dbops review` as people type it: from a new folder to work that may run."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import Result

from dbops.audit.entry import DigestOf, Event, Label, Phase
from dbops.audit.entry import Result as Ended
from dbops.audit.links import entries
from dbops.audit.segments import Segments
from dbops.crypto.signing import KeyFileSigner
from dbops.crypto.sshsig import Namespace
from tests.cli.ops import WORK, Ops, copy_ops, found_ops
from tests.crash.processes import wait_until


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with persons and one backup."""
    return found_ops(tmp_path_factory.mktemp("review") / "estate")


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def states(ops: Ops) -> dict[str, tuple[str, list[str]]]:
    """State of each piece of work, and whom it waits for."""
    found = json.loads(ops.review("list", "--json").stdout)["work"]
    return {each["id"]: (each["state"], each["waits_for"]) for each in found}


def said(result: Result) -> str:
    """The last error and its hint, without what was shown before."""
    return result.stderr[result.stderr.index("error: ") :]


def test_from_new_to_complete(ops: Ops) -> None:
    """Each step changes the state, who is waited for, and what check says is missing."""
    assert ops.new().stdout == f"{ops.folder}/restore.yml\n"
    ops.commit()
    result = ops.review("check", WORK)
    assert (result.exit_code, result.stdout) == (
        5,
        f"{WORK}: the request of the author, wei@contractor, is missing\n"
        f"{WORK}: 1 more approval of it-department missing (0 so far)\n",
    )
    it = "1 of it-department (chen, hospital, li-na)"
    assert states(ops) == {WORK: ("draft", ["author wei@contractor", it])}
    assert ops.sign("request", "wei").exit_code == 0
    assert states(ops) == {WORK: ("waiting", [it])}
    result = ops.sign("approve", "li", "--note", "looked at it")
    assert result.exit_code == 0
    assert result.stdout == f"{ops.folder}/approvals/li.na@hospital.txt\n"
    assert result.stderr.endswith("nothing is missing once it is committed\n")
    assert ops.review("check", WORK).exit_code == 5
    ops.commit()
    result = ops.review("check", WORK)
    assert (result.exit_code, result.stdout) == (0, f"{WORK}: complete\n")
    assert states(ops) == {WORK: ("approved", [])}


def test_one_byte_voids_every_signature(ops: Ops) -> None:
    """What was signed is digests of files, and check says which file changed."""
    ops.agreed()
    manifest = ops.folder / "restore.yml"
    manifest.write_bytes(manifest.read_bytes().replace(b"example@1", b"example@2"))
    ops.commit()
    result = ops.review("check", WORK)
    changed = "restore.yml was changed after it was signed"
    assert result.exit_code == 5
    assert f"{WORK}: restores/{WORK}/approvals/wei@contractor.txt: {changed}\n" in result.stdout
    assert f"{WORK}: restores/{WORK}/approvals/li.na@hospital.txt: {changed}\n" in result.stdout
    assert f"{WORK}: 1 more approval of it-department missing (0 so far)\n" in result.stdout


def test_what_is_signed_is_shown_first(ops: Ops) -> None:
    """The text on the screen is the text that is signed, byte for byte."""
    ops.new()
    result = ops.sign("request", "wei", "--note", "为了核对")
    signed = (ops.folder / "approvals" / "wei@contractor.txt").read_text("utf-8")
    assert result.stderr.startswith(signed)
    assert "\nnote: 为了核对\n" in signed
    assert f"\n  copy  sqlite:{ops.root}/copy.db\n" in signed


@pytest.mark.parametrize("verb", ["request", "approve", "reject"])
def test_nobody_signs_unasked(ops: Ops, verb: str) -> None:
    """Without a terminal and without --yes nothing is written, though the text was shown."""
    ops.new()
    person = "wei"
    if verb != "request":
        ops.sign("request", "wei")
        person = "li"
    before = sorted(ops.folder.rglob("*"))
    more = ("--reason", "no") if verb == "reject" else ()
    result = ops.review(verb, WORK, "--key", ops.key(person), *more)
    assert result.exit_code == 2
    assert said(result) == (
        f"error: nobody is there to be asked: Sign this ({verb} of {WORK})?\n"
        "hint: add --yes to the command\n"
    )
    assert sorted(ops.folder.rglob("*")) == before


def test_ssh_keygen_verifies_what_was_signed(ops: Ops) -> None:
    """The two files are what OpenSSH writes, so that nobody needs dbops to check them."""
    ops.agreed()
    text = ops.folder / "approvals" / "li.na@hospital.txt"
    command = ["ssh-keygen", "-Y", "verify", "-I", "li.na@hospital", "-n", "dbops-approval@v1"]
    command += ["-f", str(ops.root / "trust" / "allowed_signers"), "-s", f"{text}.sig"]
    done = subprocess.run(command, input=text.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_author_cannot_approve(ops: Ops) -> None:
    """Even one who has the role and whose key may."""
    said_of = ("--title", "t", "--author", "li.na@hospital")
    assert ops.review("new", "release", WORK, "--backup", "example@1", "--reason", "r", *said_of)
    assert ops.sign("request", "li").exit_code == 0
    result = ops.sign("approve", "li")
    assert result.exit_code == 5
    assert said(result) == (
        f"error: the author asks, and others answer\nhint: dbops review show {WORK}\n"
    )
    assert ops.sign("approve", "chen").exit_code == 0


def test_a_role_that_is_not_asked_for_cannot_approve(ops: Ops) -> None:
    """Who lost the role in the policy is refused before the key signs."""
    ops.new()
    ops.sign("request", "wei")
    policy = ops.root / "trust" / "policy.toml"
    policy.write_text(policy.read_text("utf-8").replace('"li-na", ', ""), "utf-8")
    result = ops.sign("approve", "li")
    assert result.exit_code == 5
    assert said(result).startswith("error: li-na is not of it-department, whom this work asks for")
    assert not (ops.folder / "approvals" / "li.na@hospital.txt").exists()


def test_a_key_without_the_namespace_cannot_approve(ops: Ops) -> None:
    """An engineer's key signs requests."""
    ops.new()
    ops.sign("request", "wei")
    result = ops.sign("approve", "wei")
    assert result.exit_code == 5
    assert "of wei@contractor may not sign for dbops-approval@v1" in said(result)


def test_a_rejection_holds_until_its_person_approves(ops: Ops) -> None:
    """Others cannot overrule it, and taking it away does not help: the ledger has seen it."""
    ops.agreed()
    assert ops.sign("reject", "chen", "--reason", "名单是旧的").exit_code == 0
    ops.commit()
    assert states(ops)[WORK][0] == "rejected"
    result = ops.review("check", WORK)
    path = f"restores/{WORK}/approvals/chen@hospital.txt"
    assert (result.exit_code, result.stdout) == (5, f"{WORK}: {path}: chen rejected it\n")
    for file in ops.folder.glob("approvals/chen*"):
        file.unlink()
    ops.commit()
    result = ops.review("check", WORK)
    assert (result.exit_code, result.stdout) == (
        5,
        f"{WORK}: chen rejected {WORK}, and that rejection is gone\n",
    )
    # Statements carry whole seconds, and of two in one second the rejection counts.
    rejected_at = int(time.time())
    assert wait_until(lambda: int(time.time()) > rejected_at, 5)
    assert ops.sign("approve", "chen").exit_code == 0
    ops.commit()
    result = ops.review("check", WORK)
    assert (result.exit_code, result.stdout) == (0, f"{WORK}: complete\n")


def test_signing_is_recorded(ops: Ops) -> None:
    """Intent and outcome of each, and a record of each statement that was seen."""
    ops.agreed()
    found = [entry.draft for entry in entries(Segments(ops.root / "audit"))]
    approvals = [draft for draft in found if draft.event is Event.REVIEW_APPROVE]
    assert [draft.phase for draft in approvals] == [Phase.INTENT, Phase.OUTCOME]
    assert approvals[1].result is Ended.DONE
    assert approvals[1].names[Label.PRINCIPAL] == "li.na@hospital"
    seen = [draft for draft in found if draft.event is Event.REVIEW_SEEN]
    assert [draft.names[Label.DECISION] for draft in seen] == ["request", "approve"]
    assert seen[1].digests[DigestOf.STATEMENT] == approvals[1].digests[DigestOf.STATEMENT]


def test_a_laptop_needs_no_ledger_and_no_database(ops: Ops) -> None:
    """It signs what the author says of the databases, and says both."""
    ops.new()
    ops.sign("request", "wei")
    shutil.rmtree(ops.root / "audit")
    result = ops.sign("approve", "li")
    assert result.exit_code == 0
    assert (
        "remark: copy is not in reach of this host: its identity is as its author says\n"
        in result.stderr
    )
    remark = "this host has no ledger: who signed what is recorded where the work is run"
    assert f"remark: {remark}\n" in result.stderr
    ops.commit()
    result = ops.review("check", "--all")
    assert (result.exit_code, result.stdout) == (0, f"{WORK}: complete\n")
    assert result.stderr == (
        f"remark: {WORK}: copy is not in reach of this host; its identity is as the statements "
        f"say, unchecked\nremark: {remark}\n"
    )
    assert not (ops.root / "audit").exists()


def test_a_ledger_that_cannot_be_written_does_not_stop_a_signature(ops: Ops) -> None:
    """The runner records what it sees, so that a remark is enough."""
    ops.new()
    ops.sign("request", "wei")
    lock = ops.root / "audit" / "lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    result = ops.sign("approve", "li")
    assert result.exit_code == 0
    assert "remark: the ledger could not record this: " in result.stderr
    assert "remark: the ledger could not record who signed what: " in result.stderr
    assert (ops.folder / "approvals" / "li.na@hospital.txt.sig").exists()


def test_check_speaks_json(ops: Ops) -> None:
    """Whether all is complete, and a code for each thing that is missing."""
    ops.new()
    result = ops.review("check", "--all", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["complete"]) == (5, False)
    codes = [each["code"] for each in found["work"][0]["missing"]]
    assert codes == ["request-missing", "approval-missing", "work-uncommitted"]


def test_a_signature_may_be_short(ops: Ops) -> None:
    """--valid is counted from now, and the policy's longest is the most."""
    ops.new()
    assert ops.sign("request", "wei", "--valid", "2d").exit_code == 0
    result = ops.sign("request", "wei", "--valid", "90d")
    assert result.exit_code == 5
    assert said(result) == (
        "error: the policy lets it count for 14d at most\nhint: ask for less: --valid 14d\n"
    )
    result = ops.sign("request", "wei", "--valid", "soon")
    assert (result.exit_code, said(result)) == (
        2,
        "error: --valid is no duration: soon\n"
        'hint: allowed: a duration such as "90m", "26h", "7d" or "2w", more than nothing\n',
    )


def test_another_database_behind_the_alias(ops: Ops) -> None:
    """An estate that points elsewhere is noticed where the database can be reached."""
    ops.agreed()
    config = ops.root / "dbops.toml"
    config.write_text(config.read_text("utf-8").replace('"copy.db"', '"example.db"'), "utf-8")
    result = ops.review("check", WORK)
    assert result.exit_code == 5
    assert "copy is another database now than when it was signed" in result.stdout


def test_show_has_everything_on_one_screen(ops: Ops) -> None:
    """What, where, why, the files with their text, who signed what, and what is missing."""
    ops.new(WORK, "--ticket", "HIS-4812")
    ops.sign("request", "wei")
    ops.sign("reject", "li", "--reason", "名单是旧的")
    shown = ops.review("show", WORK).stdout
    for text in (
        "title      示例库的副本\n",
        "kind       restore, risk low\n",
        "ticket     HIS-4812\n",
        f"database   copy  sqlite:{ops.root}/copy.db (as the author says, unchecked here)\n",
        "source     example@1\n",
        '    title: "示例库的副本"\n',
        "objection  restores/2026-117-copy/approvals/li.na@hospital.txt: li-na rejected it\n",
        "evidence   none\n",
        "signed by  wei@contractor: request, until ",
        "signed by  li.na@hospital: reject as it-department",
        "           note: 名单是旧的\n",
        "missing    1 more approval of it-department missing (0 so far)\n",
    ):
        assert text in shown
    found = json.loads(ops.review("show", WORK, "--json").stdout)
    assert found["state"] == "rejected"
    assert [each["path"] for each in found["files"]] == ["restore.yml"]
    assert {each["principal"]: each["decision"] for each in found["statements"]} == {
        "li.na@hospital": "reject",
        "wei@contractor": "request",
    }
    assert {each["code"] for each in found["missing"]} >= {"rejected", "approval-missing"}


def test_show_says_of_evidence_by_the_wrong_key_that_it_does_not_count(ops: Ops) -> None:
    """Whatever is wrong with it: a reviewer is never told that evidence is there, and no more."""
    policy = ops.root / "trust" / "policy.toml"
    rule = 'kinds = ["restore", '
    text = policy.read_text("utf-8")
    assert rule in text
    policy.write_text(text.replace(rule, f"evidence = true\n{rule}"), "utf-8")
    ops.new()
    assert "evidence   does not count\n" in ops.review("show", WORK).stdout
    evidence = f"dbops: evidence/v1\nid: {WORK}\nat: 2026-11-23T00:00:00Z\nfiles: {{}}\n".encode()
    (ops.folder / "evidence.yml").write_bytes(evidence)
    armor = KeyFileSigner.load(ops.key("wei")).sign(evidence, Namespace.EVIDENCE)
    (ops.folder / "evidence.yml.sig").write_text(armor, "utf-8")
    shown = ops.review("show", WORK).stdout
    assert "may not sign for dbops-evidence@v1" in shown
    assert "evidence   does not count\n" in shown
    policy.write_text(text, "utf-8")
    shown = ops.review("show", WORK).stdout
    assert "evidence   there, and not checked: no rule asks for it\n" in shown


def test_show_says_which_file_it_does_not_show(ops: Ops) -> None:
    """A long file is listed with its size, and nobody takes it for an empty one."""
    ops.new()
    (ops.folder / "list.txt").write_text("x" * 79 + "\n" * 300 + "y\n" * 9000)
    shown = ops.review("show", WORK).stdout
    assert "--- list.txt\n    (not shown: read the file itself)\n" in shown


def test_show_and_list_survive_a_malformed_folder(ops: Ops) -> None:
    """What is wrong with it is said in its own row."""
    ops.new()
    (ops.folder / "restore.yml").write_text("id: a\nid: b\n", "utf-8")
    assert states(ops)[WORK][0] == "malformed"
    shown = ops.review("show", WORK)
    assert shown.exit_code == 0
    assert "\nmissing    " in shown.stdout
    assert ops.review("check", WORK).exit_code == 5


def test_new_never_replaces(ops: Ops) -> None:
    """An id is taken for good, by work of whatever kind."""
    ops.new()
    before = (ops.folder / "restore.yml").read_bytes()
    result = ops.review(
        *("new", "release", WORK, "--backup", "example@1", "--reason", "r"),
        *("--title", "t", "--author", "wei@contractor"),
    )
    assert result.exit_code == 5
    assert result.stderr == (
        f"error: restores/{WORK} is there already; nothing was changed\n"
        "hint: an id names one piece of work for good: choose another\n"
    )
    assert (ops.folder / "restore.yml").read_bytes() == before


def test_new_recipients_takes_a_document_that_the_hospital_signed(ops: Ops) -> None:
    """It lies beside the manifest; another document is refused."""
    said_of = ("--title", "t", "--author", "wei@contractor")
    document = ops.root / "trust" / "recipients"
    result = ops.review("new", "recipients", "r-1", "--document", document, *said_of)
    assert result.exit_code == 0
    kept = ops.tree / "recipients" / "r-1" / "recipients"
    assert kept.read_bytes() == document.read_bytes()
    forged = ops.root / "forged"
    forged.write_bytes(document.read_bytes().replace(b"verifier", b"verifiar"))
    result = ops.review("new", "recipients", "r-2", "--document", forged, *said_of)
    assert result.exit_code == 5
    assert not (ops.tree / "recipients" / "r-2").exists()


def test_a_title_may_hold_what_yaml_means_otherwise(ops: Ops) -> None:
    """Quotes, colons, hashes and Chinese come back as they were written."""
    title = 'a: "b" # c, 检验科 — no'
    result = ops.review(
        *("new", "release", "r-1", "--backup", "example@1", "--reason", "no"),
        *("--title", title, "--author", "wei@contractor"),
    )
    assert result.exit_code == 0
    found = json.loads(ops.review("show", "r-1", "--json").stdout)
    assert (found["title"], found["settings"]["reason"]) == (title, "no")
