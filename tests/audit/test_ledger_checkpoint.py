"""Signing the ledger's size and root: never a root that the lines do not bear out."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dbops.audit.checkpoint import Checkpoint, claimed_checkpoint, open_checkpoint, sign_checkpoint
from dbops.crypto.signing import KeyFileSigner
from dbops.crypto.sshsig import Namespace, PublicKey
from dbops.crypto.sshwire import string
from dbops.crypto.trust import TrustedSigner, TrustRoot
from dbops.errors import Failed, NotFound, Unreachable
from tests.audit import rfc9162
from tests.audit.made_ledger import ORIGIN, START, Made, heartbeat


def signer_number(number: int) -> KeyFileSigner:
    private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return KeyFileSigner(PublicKey.from_blob(string(b"ssh-ed25519") + string(raw)), private)


KEY = signer_number(1)
NEXT_KEY = signer_number(2)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "audit")


def sealed(made: Made, signer: KeyFileSigner = KEY) -> Checkpoint:
    return made.ledger().checkpoint(signer)


def true_root(made: Made, size: int | None = None) -> bytes:
    return rfc9162.mth(made.text().splitlines()[:size])


def refused(made: Made, signer: KeyFileSigner = KEY) -> str:
    """Why nothing was signed; the checkpoint before is still there."""
    before = (made.directory / "checkpoint").read_bytes()
    with pytest.raises(Failed) as caught:
        sealed(made, signer)
    assert caught.value.code == "ledger-damaged"
    assert (made.directory / "checkpoint").read_bytes() == before
    return caught.value.message


def test_a_checkpoint_is_signed_and_kept(made: Made) -> None:
    """The newest in `checkpoint`, and each under its size."""
    made.fill(2)
    first = sealed(made)
    made.fill(300)
    second = sealed(made)
    assert first == Checkpoint(ORIGIN, 3, true_root(made, 3))
    assert second == Checkpoint(ORIGIN, 303, true_root(made))
    trusted = TrustedSigner("ledger@db-host-1", KEY.public_key, frozenset({Namespace.CHECKPOINT}))
    trust = TrustRoot((trusted,), frozenset())
    note = (made.directory / "checkpoint").read_text()
    assert open_checkpoint(note, trust, START) == second
    kept = {path.name: path.read_text() for path in (made.directory / "checkpoints").iterdir()}
    assert kept["000000000303.note"] == note
    assert open_checkpoint(kept["000000000003.note"], trust, START) == first
    assert len(kept) == 2


def test_the_same_ledger_has_the_same_checkpoint(made: Made) -> None:
    """Signing it twice is no second statement."""
    made.fill(2)
    sealed(made)
    note = (made.directory / "checkpoint").read_bytes()
    sealed(made)
    assert (made.directory / "checkpoint").read_bytes() == note


def test_every_size_is_signed_rightly(made: Made) -> None:
    """One checkpoint after each entry, as RFC 9162 has the root."""
    ledger = made.ledger(segment_most=3000)
    for _ in range(40):
        ledger.append(heartbeat())
        checkpoint = ledger.checkpoint(KEY)
        assert checkpoint.root == true_root(made)


def test_an_empty_ledger_is_not_signed(made: Made) -> None:
    """There is nothing to say."""
    with pytest.raises(NotFound) as caught:
        sealed(made)
    assert caught.value.message == "the ledger has no entry yet that could be signed"


def test_a_torn_tail_is_not_in_it(made: Made) -> None:
    """It is told of by the next entry."""
    made.fill(2)
    whole = made.text()
    with made.newest().open("ab") as file:
        file.write(b'{"v":1,')
    assert sealed(made).root == rfc9162.mth(whole.splitlines())


@pytest.mark.parametrize("signer", [KEY, NEXT_KEY], ids=["same-key", "new-key"])
@pytest.mark.parametrize("level", ["0", "4", "8"])
def test_a_rotten_cache_never_gets_signed(made: Made, level: str, signer: KeyFileSigner) -> None:
    """The lines decide, and the cache is made anew where it was asked and did not fit."""
    made.fill(299)
    sealed(made)
    path = made.directory / "tile" / level
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    made.fill(3)
    assert sealed(made, signer).root == true_root(made)
    if (signer, level) == (KEY, "8"):
        assert path.read_bytes()[5] == data[5] ^ 1


def test_a_line_that_was_edited_is_not_signed_over(made: Made) -> None:
    """With a new key every line is read; what a checkpoint held must still be there."""
    made.fill(5)
    sealed(made)
    old = made.text()
    made.newest().write_bytes(old.replace(b'"pid":4321', b'"pid":4322', 1))
    assert refused(made, NEXT_KEY) == ("the ledger is damaged: its lines do not form a chain")
    made.newest().write_bytes(old)
    assert sealed(made, NEXT_KEY).size == 6


def rewritten(lines: list[bytes]) -> bytes:
    """The lines with another process number, and a chain that fits."""
    before, out = b"0" * 64, b""
    for line in lines:
        at = line.index(b'"prev":"') + 8
        forged = line[:at] + before + line[at + 64 :].replace(b'"pid":4321', b'"pid":4322')
        before = sha256(b"\0" + forged).hexdigest().encode()
        out += forged + b"\n"
    return out


@pytest.mark.parametrize("signer", [KEY, NEXT_KEY], ids=["same-key", "new-key"])
def test_a_rewritten_ledger_is_not_signed(made: Made, signer: KeyFileSigner) -> None:
    """Even where its cache was thrown away and made anew."""
    made.fill(5)
    sealed(made)
    made.newest().write_bytes(rewritten(made.text().splitlines()))
    for path in (made.directory / "tile").iterdir():
        path.unlink()
    assert refused(made, signer) == (
        "the ledger is damaged: its first 6 entries are not those of its checkpoint"
    )


def test_a_forged_checkpoint_is_not_continued(made: Made) -> None:
    """One that this key did not sign counts for nothing but to be compared."""
    made.fill(5)
    forged = Checkpoint(ORIGIN, 4, b"\x07" * 32)
    (made.directory / "checkpoint").write_text(sign_checkpoint(forged, NEXT_KEY))
    assert refused(made) == (
        "the ledger is damaged: its first 4 entries are not those of its checkpoint"
    )


def test_a_ledger_shorter_than_its_checkpoint_is_not_continued(made: Made) -> None:
    """Neither signed nor appended to, even without its cache."""
    made.fill(5)
    sealed(made)
    made.newest().write_bytes(b"".join(made.text().splitlines(keepends=True)[:4]))
    for path in (made.directory / "tile").iterdir():
        path.unlink()
    words = "the ledger is damaged: its checkpoint has 6 entries, and 4 are there"
    assert refused(made) == words
    with pytest.raises(Failed) as caught:
        made.append()
    assert caught.value.message == words


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"\xff"])
def test_a_checkpoint_that_is_none_stops(made: Made, content: bytes) -> None:
    """It is written whole or not at all, so nothing but a person brings that about."""
    made.fill(2)
    (made.directory / "checkpoint").write_bytes(content)
    assert refused(made).startswith("the ledger is damaged: its checkpoint is ")
    with pytest.raises(Failed):
        made.append()


def test_a_checkpoint_that_cannot_be_kept_leaves_the_old_one(made: Made) -> None:
    """No half of one is ever read."""
    made.fill(2)
    first = sealed(made)
    made.fill(2)
    (made.directory / "checkpoint.new").mkdir()
    with pytest.raises(Unreachable) as caught:
        sealed(made)
    assert caught.value.message == "the ledger cannot be written (EISDIR)"
    note = (made.directory / "checkpoint").read_text()
    assert claimed_checkpoint(note) == first
    (made.directory / "checkpoint.new").rmdir()
    assert sealed(made).size == 5
