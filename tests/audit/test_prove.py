"""A proof stands alone: entry, path and signed root, and any other byte breaks it."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from dbops.audit.checkpoint import Checkpoint, sign_checkpoint
from dbops.audit.links import entry_at
from dbops.audit.prove import check_proof, prove_entry
from dbops.audit.tree import leaf_hash
from dbops.crypto.trust import TrustRoot
from dbops.errors import Failed, NotFound, Refused
from tests.audit import rfc9162
from tests.audit.ledgers import ORIGIN, MadeLedger, make_ledger, new_signer


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> MadeLedger:
    """A ledger of 25 entries, signed."""
    place = tmp_path_factory.mktemp("ledger")
    made = make_ledger(place / "audit", new_signer(place / "key"), months=2)
    made.note()
    return made


@pytest.fixture
def made(pristine: MadeLedger, tmp_path: Path) -> MadeLedger:
    """A copy to be damaged."""
    return pristine.copy(tmp_path / "audit")


def note_of(made: MadeLedger) -> str:
    """Its newest checkpoint."""
    return (made.directory / "checkpoint").read_text("utf-8")


def prove(made: MadeLedger, sequence: int) -> str:
    """The proof of an entry."""
    return prove_entry(made.segments, made.tiles, note_of(made), sequence)


def refused(made: MadeLedger, text: str, trust: TrustRoot | None = None) -> str:
    """The code with which a proof is refused."""
    with pytest.raises(Refused) as caught:
        check_proof(text, made.trust if trust is None else trust, made.clock.now)
    return caught.value.code


def test_every_entry_can_be_proven(pristine: MadeLedger) -> None:
    """The trust root and the proof give the entry back."""
    for sequence in range(25):
        proven = check_proof(prove(pristine, sequence), pristine.trust, pristine.clock.now)
        assert proven.entry == entry_at(pristine.segments, sequence)
        assert (proven.checkpoint.origin, proven.checkpoint.size) == (ORIGIN, 25)


def test_the_form_is_tlog_proof(pristine: MadeLedger) -> None:
    """An independent reader of C2SP's form and of RFC 9162 comes to the same."""
    head, _, note = prove(pristine, 14).partition("\n\n")
    magic, extra, index, *path = head.split("\n")
    assert (magic, index, note) == ("c2sp.org/tlog-proof@v1", "index 14", note_of(pristine))
    line = base64.b64decode(extra.removeprefix("extra "))
    assert line in pristine.files[1].read_bytes().splitlines()
    hashes = [base64.b64decode(each) for each in path]
    root = base64.b64decode(note.split("\n")[2])
    leaf = rfc9162.mth([line])
    assert rfc9162.verify_inclusion(leaf, 14, 25, hashes, root)


def test_any_change_breaks_it(pristine: MadeLedger) -> None:
    """Another entry, index, hash, root, key or form is refused with its own code."""
    text = prove(pristine, 14)
    other = prove(pristine, 15)
    lines = text.split("\n")
    assert refused(pristine, text.replace("index 14", "index 15")) == "proof-path"
    assert refused(pristine, text.replace(lines[1], other.split("\n")[1])) == "proof-path"
    assert refused(pristine, text.replace(lines[3], other.split("\n")[3])) == "proof-path"
    assert refused(pristine, text.replace(lines[3] + "\n", "")) == "proof-path"
    assert refused(pristine, text.replace(lines[3], lines[3][:-1])) == "proof-form"
    assert refused(pristine, text.replace(lines[3], "AAAA")) == "proof-form"
    assert refused(pristine, text.replace("index 14", "index 014")) == "proof-form"
    assert refused(pristine, text.replace("tlog-proof@v1", "tlog-proof@v2")) == "proof-form"
    assert refused(pristine, text.replace(lines[1] + "\n", "")) == "proof-form"
    assert refused(pristine, "") == "proof-form"
    assert refused(pristine, text.replace("\n25\n", "\n26\n")) == "note-signature"
    assert refused(pristine, text, TrustRoot(())) == "note-unknown"


def test_what_is_proven_must_be_an_entry(pristine: MadeLedger) -> None:
    """A leaf of a signed tree that is no line of a ledger is refused."""
    line = b"hello"
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(line)), pristine.signer)
    extra = base64.b64encode(line).decode()
    text = f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex 0\n\n{note}"
    assert refused(pristine, text) == "proof-entry"


def test_a_wrong_cache_is_made_anew(made: MadeLedger) -> None:
    """The proof is right although the cache was not; it is right afterwards."""
    for path in made.directory.glob("tile/*"):
        path.write_bytes(bytes(path.stat().st_size))
    assert check_proof(prove(made, 3), made.trust, made.clock.now).entry.sequence == 3
    assert made.tiles.size == 25
    shutil.rmtree(made.directory / "tile")
    assert check_proof(prove(made, 3), made.trust, made.clock.now).entry.sequence == 3


def test_what_cannot_be_proven(made: MadeLedger) -> None:
    """An entry behind the checkpoint, one that is not there, and a ledger of other lines."""
    note = note_of(made)
    made.write(2)
    with pytest.raises(Refused) as uncovered:
        prove_entry(made.segments, made.tiles, note, 25)
    assert uncovered.value.code == "proof-uncovered"
    other = sign_checkpoint(Checkpoint(ORIGIN, 99, bytes([1]) * 32), made.signer)
    with pytest.raises(NotFound) as missing:
        prove_entry(made.segments, made.tiles, other, 40)
    assert missing.value.code == "ledger-entry"
    with pytest.raises(Failed) as damaged:
        prove_entry(made.segments, made.tiles, other, 4)
    assert damaged.value.code == "ledger-damaged"
