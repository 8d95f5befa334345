"""Checkpoints: three lines, one form, and only from a key that may sign them now."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from dbops.audit.checkpoint import (
    Checkpoint,
    claimed_checkpoint,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from dbops.audit.tree import EMPTY_ROOT, leaf_hash
from dbops.crypto.note import sign_note
from dbops.crypto.signing import KeyFileSigner
from dbops.crypto.sshsig import Namespace, PublicKey
from dbops.crypto.sshwire import string
from dbops.crypto.trust import TrustedSigner, TrustRoot
from dbops.errors import Refused

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ORIGIN = "hospital/site/dbops/host"
ROOT = leaf_hash(b"a line")
HERE = Checkpoint(ORIGIN, 7, ROOT)
LINES = HERE.text.splitlines()
SOFA = (  # the example of c2sp.org/tlog-checkpoint
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u"
    "5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def signer_number(number: int) -> KeyFileSigner:
    """A signer that is the same in every run."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
    raw = private.public_key().public_bytes_raw()
    return KeyFileSigner(PublicKey.from_blob(string(b"ssh-ed25519") + string(raw)), private)


HOST, SECOND, STRANGER = signer_number(1), signer_number(2), signer_number(3)


def trusted(
    signer: KeyFileSigner,
    namespace: Namespace = Namespace.CHECKPOINT,
    until: datetime | None = None,
) -> TrustedSigner:
    """The line of allowed_signers for the signer's key."""
    name = f"ledger{signer.public_key.blob[-1]}@host"
    return TrustedSigner(name, signer.public_key, frozenset({namespace}), valid_before=until)


TRUST = TrustRoot((trusted(HOST),))


def refused_code(note: str, trust: TrustRoot = TRUST) -> str:
    """The code with which opening is refused."""
    with pytest.raises(Refused) as caught:
        open_checkpoint(note, trust, NOW)
    return caught.value.code


def line_of(note: str) -> str:
    """The signature lines of a note."""
    return note.rpartition("\n\n")[2]


def test_the_text_is_three_lines() -> None:
    """Origin, decimal size, base64 root, as C2SP has them."""
    assert HERE.text == f"{ORIGIN}\n7\n{base64.b64encode(ROOT).decode()}\n"


def test_the_example_of_the_specification_is_read() -> None:
    """Another log's checkpoint says what it claims; its signature is not asked."""
    claimed = claimed_checkpoint(SOFA)
    assert (claimed.origin, claimed.size) == ("example.com/behind-the-sofa", 20852163)
    assert claimed.root.hex().startswith("0ac5186a91863e8e")


@given(st.from_regex(r"[a-z0-9][a-z0-9._/-]{0,60}", fullmatch=True), st.integers(1, 2**63 - 1))
def test_texts_read_back(origin: str, size: int) -> None:
    """What is written is read as the same checkpoint."""
    checkpoint = Checkpoint(origin, size, leaf_hash(origin.encode()))
    assert parse_checkpoint(checkpoint.text) == checkpoint


def test_the_empty_ledger_has_a_checkpoint() -> None:
    """Size 0 goes with the root of nothing, and with no other; no other size goes with that."""
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert parse_checkpoint(empty.text) == empty
    for size, root in ((0, ROOT), (1, EMPTY_ROOT)):
        with pytest.raises(Refused) as caught:
            Checkpoint(ORIGIN, size, root)
        assert caught.value.code == "checkpoint-root"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "checkpoint-form"),
        (LINES[:2], "checkpoint-form"),
        ([*LINES, "extension"], "checkpoint-form"),
        ([*LINES, ""], "checkpoint-form"),
        (["", *LINES[1:]], "checkpoint-origin"),
        (["a b", *LINES[1:]], "checkpoint-origin"),
        (["a+b", *LINES[1:]], "checkpoint-origin"),
        ([ORIGIN, "", LINES[2]], "checkpoint-size"),
        ([ORIGIN, "07", LINES[2]], "checkpoint-size"),
        ([ORIGIN, "+7", LINES[2]], "checkpoint-size"),
        ([ORIGIN, "-7", LINES[2]], "checkpoint-size"),
        ([ORIGIN, "7 ", LINES[2]], "checkpoint-size"),
        ([ORIGIN, "٧", LINES[2]], "checkpoint-size"),
        ([ORIGIN, str(1 << 63), LINES[2]], "checkpoint-size"),
        ([ORIGIN, "7", ""], "checkpoint-root"),
        ([ORIGIN, "7", "根"], "checkpoint-root"),
        ([ORIGIN, "7", ROOT.hex()], "checkpoint-root"),
        ([ORIGIN, "7", LINES[2].rstrip("=")], "checkpoint-root"),
        ([ORIGIN, "7", LINES[2] + "="], "checkpoint-root"),
        ([ORIGIN, "7", base64.b64encode(ROOT[:31]).decode()], "checkpoint-root"),
    ],
)
def test_what_is_no_checkpoint_is_refused(lines: list[str], code: str) -> None:
    """Each line has one form."""
    with pytest.raises(Refused) as caught:
        parse_checkpoint("".join(line + "\n" for line in lines))
    assert caught.value.code == code


def test_a_root_in_another_base64_is_refused() -> None:
    """The unused bits of the last character are zero: one root, one text."""
    spare = LINES[2][:-2] + chr(ord(LINES[2][-2]) + 1) + "="
    assert base64.b64decode(spare) == ROOT
    with pytest.raises(Refused) as caught:
        parse_checkpoint(f"{ORIGIN}\n7\n{spare}\n")
    assert caught.value.code == "checkpoint-root"
    assert caught.value.message == (
        "the text is not a checkpoint: its root is not canonical base64"
    )


def test_a_signed_checkpoint_opens() -> None:
    """By the host's key, under the name of the origin."""
    note = sign_checkpoint(HERE, HOST)
    assert line_of(note).startswith(f"— {ORIGIN} ")
    assert open_checkpoint(note, TRUST, NOW) == claimed_checkpoint(note) == HERE


def test_lines_of_witnesses_do_not_disturb() -> None:
    """A cosignature of a key that nobody here knows is passed over."""
    witness = line_of(sign_note(HERE.text, "witness.example/w", STRANGER))
    assert open_checkpoint(sign_checkpoint(HERE, HOST) + witness, TRUST, NOW) == HERE


def test_only_the_ledgers_key_opens_it() -> None:
    """Unknown, for other uses only, expired and revoked keys: each by its own code."""
    note = sign_checkpoint(HERE, HOST)
    key = HOST.public_key
    hour = timedelta(hours=1)
    assert refused_code(note, TrustRoot((trusted(SECOND),))) == "note-unknown"
    assert refused_code(note, TrustRoot(())) == "note-unknown"
    assert refused_code(note, TrustRoot((trusted(HOST, Namespace.MANIFEST),))) == "trust-namespace"
    assert refused_code(note, TrustRoot((trusted(HOST, until=NOW - hour),))) == "trust-expired"
    revoked = TrustRoot((trusted(HOST),), frozenset({key.fingerprint}))
    assert refused_code(note, revoked) == "trust-key-revoked"


def test_one_key_that_may_sign_is_enough() -> None:
    """Where an old and a new key of the host signed, the one that still counts opens it."""
    second = line_of(sign_checkpoint(HERE, SECOND))
    both = TrustRoot((trusted(HOST, until=NOW - timedelta(days=1)), trusted(SECOND)))
    assert refused_code(sign_checkpoint(HERE, HOST), both) == "trust-expired"
    assert open_checkpoint(sign_checkpoint(HERE, HOST) + second, both, NOW) == HERE


def test_keys_of_other_kinds_in_the_trust_root_are_passed_over() -> None:
    """Persons' ecdsa keys stand in the same trust root and sign no checkpoints."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    person = TrustedSigner("li@hospital", PublicKey.parse(line), frozenset({Namespace.CHECKPOINT}))
    note = sign_checkpoint(HERE, HOST)
    assert open_checkpoint(note, TrustRoot((person, trusted(HOST))), NOW) == HERE
    assert refused_code(note, TrustRoot((person,))) == "note-unknown"


def test_an_altered_checkpoint_is_refused() -> None:
    """Another size or root under the same signature does not fit, another origin has no key."""
    note = sign_checkpoint(HERE, HOST)
    other = base64.b64encode(leaf_hash(b"another line")).decode()
    assert refused_code(note.replace("\n7\n", "\n8\n")) == "note-signature"
    assert refused_code(note.replace(LINES[2], other)) == "note-signature"
    assert refused_code(note.replace(f"{ORIGIN}\n", "another/host\n")) == "note-unknown"
    assert refused_code(note.replace(ORIGIN, "another/host")) == "note-unknown"


def test_a_signed_text_that_is_no_checkpoint_is_refused() -> None:
    """The signature of the ledger's key alone makes no checkpoint."""
    assert refused_code(sign_note("an approval\n", ORIGIN, HOST)) == "checkpoint-form"
    assert refused_code(HERE.text) == "note-form"
