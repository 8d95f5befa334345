"""A month that both parties confirmed stays what it was, or is no longer confirmed."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbops.audit.countersign import (
    Countersignature,
    check_countersigned,
    countersign,
    draw_up,
    parse_countersignature,
    read_countersigned,
)
from dbops.crypto.trust import TrustRoot
from dbops.errors import Failed, NotFound, Refused, UsageFault
from tests.audit.ledgers import ORIGIN, MadeLedger, make_ledger, new_signer, write_trust
from tests.audit.tampering import change_line, rechain
from tests.fix_tools import require_tool

WHO = "signer0@hospital"
JANUARY = datetime(2027, 1, 2, tzinfo=UTC)
TEXT = """dbops-countersign/v1
origin: hospital/dbops/backup-1
month: 2026-12
first: 13
last: 24
size: 25
root: {root}
signer: signer0@hospital
signed-at: 2027-01-02T00:00:00Z
"""


@pytest.fixture
def made(tmp_path: Path) -> MadeLedger:
    """A ledger of November and December."""
    return make_ledger(tmp_path / "audit", new_signer(tmp_path / "key"), months=2)


def read(made: MadeLedger, trust: TrustRoot | None = None) -> list[Countersignature]:
    """All countersignatures."""
    return list(read_countersigned(made.directory, trust or made.trust, JANUARY))


def test_a_month_is_confirmed(made: MadeLedger) -> None:
    """What is signed names the month's entries and the root over all up to its end."""
    november = draw_up(made.segments, "2026-11", WHO, JANUARY)
    assert (november.first, november.last, november.size) == (0, 12, 13)
    december = draw_up(made.segments, "2026-12", WHO, JANUARY)
    root = made.note().split("\n")[2]
    assert december.text.decode() == TEXT.format(root=root)
    path = countersign(made.directory, december, made.signer)
    assert path == made.directory / "countersigned" / f"2026-12.{WHO}.txt"
    countersign(made.directory, november, made.signer)
    assert read(made) == [november, december]
    made.write(4)
    for found in read(made):
        check_countersigned(made.segments, found)
    assert list(path.parent.glob("*.part")) == []


def test_a_person_checks_it_with_ssh_keygen(made: MadeLedger, tmp_path: Path) -> None:
    """The commands of crypto/FORMAT.md verify the document."""
    require_tool("ssh-keygen", "openssh-client")
    drawn = draw_up(made.segments, "2026-11", WHO, JANUARY)
    path = countersign(made.directory, drawn, made.signer)
    write_trust(tmp_path / "trust", made.trust)
    page = Path("dbops/crypto/FORMAT.md").read_text("utf-8")
    script = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0]
    names = {"DOCUMENT": str(path), "TRUST": str(tmp_path / "trust"), "PRINCIPAL": WHO}
    environment = {**os.environ, **names, "NAMESPACE": "dbops-countersign@v1"}
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    assert b"Good" in done.stdout


def test_only_a_month_that_is_over_and_has_entries(made: MadeLedger) -> None:
    """A month that goes on, none at all, and one without entries are refused."""
    for month in ("2027-01", "2027-02", "2026-13", "december", "2026-12-01"):
        with pytest.raises(UsageFault) as caught:
            draw_up(made.segments, month, WHO, JANUARY)
        assert caught.value.code == "countersign-month"
    with pytest.raises(NotFound) as missing:
        draw_up(made.segments, "2026-10", WHO, JANUARY)
    assert missing.value.code == "countersign-empty"
    assert missing.value.message == "the ledger has no entries of 2026-10"


def test_nobody_confirms_a_damaged_ledger(made: MadeLedger) -> None:
    """A chain that does not hold is not drawn up."""
    made.edit(change_line(5))
    with pytest.raises(Failed) as caught:
        draw_up(made.segments, "2026-11", WHO, JANUARY)
    assert caught.value.code == "ledger-damaged"


def test_what_was_confirmed_cannot_be_rewritten(made: MadeLedger) -> None:
    """A consistent other chain is no longer the one that was confirmed."""
    drawn = draw_up(made.segments, "2026-12", WHO, JANUARY)
    made.edit(change_line(4), segment=1)
    made.edit(lambda lines: rechain(lines, 5), segment=1)
    with pytest.raises(Failed) as caught:
        check_countersigned(made.segments, drawn)
    assert caught.value.message == (f"the ledger is not the one whose 2026-12 {WHO} confirmed")


def test_a_signature_stays(made: MadeLedger) -> None:
    """It is not replaced by a second one."""
    drawn = draw_up(made.segments, "2026-11", WHO, JANUARY)
    path = countersign(made.directory, drawn, made.signer)
    before = path.read_bytes()
    with pytest.raises(Refused) as caught:
        countersign(made.directory, replace(drawn, root=bytes(32)), made.signer)
    assert caught.value.code == "countersign-exists"
    assert path.read_bytes() == before


def test_only_its_signer_may(made: MadeLedger, tmp_path: Path) -> None:
    """Another's signature, another's name, and a changed text are refused."""
    drawn = draw_up(made.segments, "2026-11", WHO, JANUARY)
    path = countersign(made.directory, drawn, made.signer)
    good = path.read_bytes()
    path.write_bytes(good.replace(b"last: 12", b"last: 11"))
    assert code(made) == "signature-wrong"
    path.write_bytes(good)
    moved = path.rename(path.with_name(f"2026-12.{WHO}.txt"))
    assert code(made) == "countersign-signer"
    moved.unlink()
    countersign(made.directory, replace(drawn, signer="li.si@hospital"), made.signer)
    assert code(made) == "countersign-signer"
    stranger = new_signer(tmp_path / "stranger")
    path.with_name("2026-11.li.si@hospital.txt").unlink()
    countersign(made.directory, drawn, stranger)
    assert code(made) == "trust-key-unknown"


def code(made: MadeLedger) -> str:
    """The code with which reading is refused."""
    with pytest.raises(Refused) as caught:
        read(made)
    return caught.value.code


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dbops-countersign/v1", "dbops-countersign/v2"),
        ("first: 13", "first: 013"),
        ("first: 13", "first: 25"),
        ("size: 25", "size: 26"),
        ("month: 2026-12", "month: 2026-00"),
        ("root: A", "root: ?"),
        ("signed-at: 2027", "signed-at: 27"),
        ("first: 13\n", "first: 13\nfirst: 13\n"),
        ("first: 13\n", ""),
        ("signer: signer0@hospital", "signer: "),
        ("size", "Size"),
    ],
)
def test_the_form_is_strict(before: str, after: str) -> None:
    """Every header once, in order, with values that can be."""
    text = TEXT.format(root="A" * 43 + "=")
    assert parse_countersignature(text.encode()).origin == ORIGIN
    with pytest.raises(Refused) as caught:
        parse_countersignature(text.replace(before, after).encode())
    assert caught.value.code == "countersign-form"
