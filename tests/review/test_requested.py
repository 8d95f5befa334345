"""Who may have work rehearsed: its author, for the files that lie there now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.crypto.sshsig import Namespace
from dbops.errors import Refused
from dbops.review.folder import find_work, read_work
from dbops.review.requested import refuse_unrequested
from dbops.review.statement import Decision
from tests.review.desk import AUTHOR, ID, Desk, copied, made_desk

ROWS = "rows.age"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A folder with nothing but the author's request: no evidence, no approvals."""
    desk = made_desk(tmp_path_factory.mktemp("desk") / "original")
    for name in ("evidence.yml", "evidence.yml.sig"):
        (desk.folder / name).unlink()
    for principal in ("li.na@hospital", "zhao.lei@hospital"):
        desk.remove(principal)
    desk.sign(AUTHOR, Decision.REQUEST)
    return desk


@pytest.fixture
def desk(original: Desk, tmp_path: Path) -> Desk:
    return copied(original, tmp_path / "desk")


def asked(desk: Desk) -> str:
    """The principal who asked; raises Refused where nobody did, as far as that counts."""
    work = read_work(desk.tree.path, find_work(desk.tree.path, ID))
    found = refuse_unrequested(work, desk.read_policy(), desk.trust_root(), desk.now, (ROWS,))
    return found.principal


def test_the_authors_request_is_enough(desk: Desk) -> None:
    """Nobody needs to have approved what is only rehearsed."""
    assert asked(desk) == AUTHOR


def test_an_earlier_rehearsal_is_no_ground(desk: Desk) -> None:
    """Evidence that came after the request, or went since, changes nothing of what is run."""
    desk.rehearse()
    desk.write(ROWS, b"sealed")
    assert asked(desk) == AUTHOR
    desk.sign(AUTHOR, Decision.REQUEST)
    desk.rehearse()
    (desk.folder / ROWS).unlink()
    assert asked(desk) == AUTHOR


def _later(desk: Desk) -> None:
    desk.now += timedelta(days=6)


def _other_role(desk: Desk) -> None:
    text = desk.policy.read_text()
    desk.policy.write_text(text.replace('engineer = ["wang-fang", "chen-yi"]', "engineer = []"))


def _no_rule(desk: Desk) -> None:
    text = desk.policy.read_text()
    desk.policy.write_text(text.replace('kinds = ["repair"]', 'kinds = ["change"]'))


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (lambda desk: desk.edit("repair.sql", "OLD", "NEW"), "file-changed"),
        (lambda desk: desk.write("payload.age", b"x"), "file-unlisted"),
        (lambda desk: desk.remove(AUTHOR), "request-missing"),
        (lambda desk: desk.edit("repair.yml", "risk: high", "risk: low"), "risk-differs"),
        (lambda desk: desk.sign(AUTHOR, Decision.APPROVE), "request-missing"),
        (lambda desk: desk.sign(AUTHOR, Decision.REQUEST, key="li.na@hospital"), "signer-differs"),
        (
            lambda desk: desk.sign(AUTHOR, Decision.REQUEST, namespace=Namespace.APPROVAL),
            "signature-namespace",
        ),
        (
            lambda desk: desk.sign(
                AUTHOR, Decision.REQUEST, lambda it: replace(it, limits=("rows: 51",))
            ),
            "limits-differ",
        ),
        (_later, "request-expired"),
        (_other_role, "author-role"),
        (_no_rule, "policy-no-rule"),
    ],
)
def test_whatever_else_lies_there_is_refused(
    desk: Desk, attack: Callable[[Desk], None], code: str
) -> None:
    """Other files, another signer, another time, another sort of statement."""
    attack(desk)
    with pytest.raises(Refused) as caught:
        asked(desk)
    assert caught.value.code == code


def test_what_is_said_of_a_missing_request(desk: Desk) -> None:
    """Who is to sign, and how."""
    desk.remove(AUTHOR)
    with pytest.raises(Refused) as caught:
        asked(desk)
    assert caught.value.message == f"{ID}: the request of the author, {AUTHOR}, is missing"
    assert caught.value.hint == f"the author signs it: dbops review request {ID} --key KEY"
