"""Evidence: whose it is, of what, how old, and in which form."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.crypto.sshsig import Namespace
from dbops.crypto.trust import TrustRoot
from dbops.review.evidence import judge_evidence
from dbops.review.grounds import Case
from dbops.review.memory import Memory
from dbops.review.policy import Policy
from dbops.review.purpose import Purpose
from dbops.review.work import Kind, Work, read_manifest
from tests.review.desk import FOLDER, ID, NOW, Desk, copied, evidence_of, made_desk, signer_of


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A complete, valid, approved piece of work."""
    return made_desk(tmp_path_factory.mktemp("desk") / "original")


@pytest.fixture
def desk(original: Desk, tmp_path: Path) -> Desk:
    """The same on files of its own."""
    return copied(original, tmp_path / "desk")


def case_of(desk: Desk) -> Case:
    """The case of the desk's files, with the rules of its policy."""
    work = Work(Kind.REPAIR, ID, FOLDER, desk.files(), {})
    policy: Policy = desk.read_policy()
    trust: TrustRoot = desk.trust_root()
    manifest = read_manifest(work)
    return Case(work, manifest, policy, trust, Memory(), {}, None, desk.now, policy.rules)


def verdict(desk: Desk, *signers: str) -> list[tuple[str, str]]:
    """Code and message of why the evidence does not count; `signers` signed the work."""
    case = case_of(desk)
    persons = [case.policy.persons[each] for each in signers]
    return [(reason.code, reason.message) for reason in judge_evidence(case, persons)]


def put(desk: Desk, data: bytes) -> None:
    """The verifying host signed this as evidence."""
    desk.write("evidence.yml", data)
    desk.write("evidence.yml.sig", signer_of("verifier@host").sign(data, Namespace.EVIDENCE))


def good(desk: Desk) -> bytes:
    """The evidence that the desk has."""
    return (desk.folder / "evidence.yml").read_bytes()


def test_what_takes_work_back_needs_no_young_evidence(desk: Desk) -> None:
    """It was rehearsed with the work; that it is of these files is asked all the same."""
    old = replace(case_of(desk), now=desk.now + timedelta(days=60))
    assert [each.code for each in judge_evidence(old, ())] == ["evidence-old"]
    back = replace(old, purpose=Purpose.TAKE_BACK)
    assert judge_evidence(back, ()) == ()
    desk.write("repair.sql", b"-- another\n")
    other = replace(case_of(desk), now=old.now, purpose=Purpose.TAKE_BACK)
    assert [each.code for each in judge_evidence(other, ())] == ["evidence-files"]


def test_evidence_counts(desk: Desk) -> None:
    """Signed by the verifying host, of these files, and fresh; further findings may stand in it."""
    assert verdict(desk, "wang-fang", "li-na") == []
    put(desk, good(desk) + b"took: 3s\n")
    assert verdict(desk) == []


def test_evidence_of_the_moment_is_neither_old_nor_future(desk: Desk) -> None:
    """The age counts to the second, and clocks may differ by five minutes."""
    for at in (NOW - timedelta(days=3), NOW, NOW + timedelta(minutes=5)):
        desk.rehearse(at=at)
        assert verdict(desk) == []
    desk.rehearse(at=NOW - timedelta(days=3, seconds=1))
    assert verdict(desk) == [
        ("evidence-old", f"{FOLDER}/evidence.yml: it is older than the 3d of the policy")
    ]
    desk.rehearse(at=NOW + timedelta(minutes=5, seconds=1))
    assert verdict(desk)[0][0] == "evidence-future"


def test_nobody_vouches_for_what_he_signed_himself(desk: Desk) -> None:
    """A person who may sign evidence may not be author or approver of the same work."""
    desk.rehearse("zhao.lei@hospital")
    assert verdict(desk, "li-na") == []
    assert verdict(desk, "li-na", "zhao-lei") == [
        (
            "evidence-signer",
            f"{FOLDER}/evidence.yml: zhao.lei@hospital is author or approver of the work, "
            "and signed it",
        )
    ]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"evidence/v1", b"evidence/v2", "evidence-version"),
        (ID.encode(), b"2026-118-ward", "evidence-id"),
        (b"at: ", b"when: ", "evidence-form"),
        (b"Z\nfiles", b"+00:00\nfiles", "evidence-form"),
        (b"dbops: evidence/v1", b"dbops: [evidence/v1]", "evidence-form"),
        (b"repair.sql: ", b"repair.sql: A", "evidence-form"),
        (b"repair.sql: ", b"other.sql: ", "evidence-files"),
        (b"effect", b"id", "yaml-duplicate"),
        (b"update: 38", b"update: *a", "yaml-alias"),
        (b"files:", b"files: {}\nrest:", "evidence-files"),
        (b"files:", b"files: none\nrest:", "evidence-form"),
    ],
)
def test_other_evidence_does_not_count(desk: Desk, old: bytes, new: bytes, code: str) -> None:
    """Even where the host signed it, it must say the one thing that evidence says."""
    assert old in good(desk)
    put(desk, good(desk).replace(old, new, 1))
    assert [each for each, _ in verdict(desk)] == [code]


def test_evidence_of_fewer_or_more_files(desk: Desk) -> None:
    """Every file but the evidence itself was rehearsed, or the evidence is of something else."""
    files = {path: data for path, data in desk.files().items() if "evidence" not in path}
    put(desk, evidence_of({"repair.sql": files["repair.sql"]}))
    assert [code for code, _ in verdict(desk)] == ["evidence-files"]
    put(desk, evidence_of({**files, "after.sql": b""}))
    assert [code for code, _ in verdict(desk)] == ["evidence-files"]


def test_no_rule_asks_for_evidence(desk: Desk) -> None:
    """Then there need be none."""
    desk.policy.write_text(
        desk.policy.read_text().replace('evidence = true\nevidence_age = "3d"\n', "")
    )
    (desk.folder / "evidence.yml").unlink()
    assert verdict(desk) == []


def test_an_undo_needs_no_evidence(desk: Desk) -> None:
    """It was rehearsed with the repair; a repair without a script can be nothing else."""
    (desk.folder / "evidence.yml").unlink()
    (desk.folder / "evidence.yml.sig").unlink()
    assert verdict(desk) != []
    (desk.folder / "repair.sql").unlink()
    assert verdict(desk) == []
