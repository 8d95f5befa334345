"""Signed notes: as Go's sumdb/note and C2SP write them, and nothing else taken."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from dbops.crypto.note import NOTE_MOST, NoteKey, open_note, sign_note, split_note
from dbops.crypto.signing import KeyFileSigner, generate_signing_key
from dbops.crypto.sshsig import Namespace, PublicKey, signed_data
from dbops.crypto.sshwire import string
from dbops.errors import Failed, Refused
from tests.fix_tools import require_tool

# golang.org/x/mod, sumdb/note/note.go and note_test.go.
PETER = "PeterNeumann"
PETER_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SKEY = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"
    "qdngotpRZb6KE6RyyBwJnAM=\n"
)
NOTE = f"{TEXT}\n{PETER_LINE}"
SALVATORE = (  # the example of c2sp.org/signed-note
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
    "\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKO"
    "NrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)


def signer_of(seed: bytes) -> KeyFileSigner:
    """The signer whose key comes from 32 bytes."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    raw = private.public_key().public_bytes_raw()
    return KeyFileSigner(PublicKey.from_blob(string(b"ssh-ed25519") + string(raw)), private)


def key_of(vkey: str) -> NoteKey:
    """The key that a verifier key names, whose type is Ed25519."""
    name, _key_id, data = vkey.split("+", 2)
    raw = base64.b64decode(data)
    assert raw[:1] == b"\x01"
    return NoteKey(name, PublicKey.from_blob(string(b"ssh-ed25519") + string(raw[1:])))


PETER_SIGNER = signer_of(base64.b64decode(PETER_SKEY)[1:])
PETER_KEY = key_of(PETER_VKEY)
OTHER = signer_of(b"\x07" * 32)
OTHER_KEY = NoteKey("other.example/log", OTHER.public_key)


def refusal(note: str, *keys: NoteKey) -> Refused:
    """How opening the note is refused."""
    with pytest.raises(Refused) as caught:
        open_note(note, keys or (PETER_KEY,))
    return caught.value


@pytest.mark.parametrize("vkey", [PETER_VKEY, ENOCH_VKEY])
def test_verifier_keys_are_those_of_go(vkey: str) -> None:
    """Key ids and verifier keys come out as Go writes them."""
    assert key_of(vkey).vkey == vkey
    assert key_of(vkey).key_id.hex() == vkey.split("+")[1]


def test_the_note_of_go_is_made_and_opened() -> None:
    """Ed25519 has one signature for a text: ours is Go's, byte for byte."""
    assert sign_note(TEXT, PETER, PETER_SIGNER) == NOTE
    opened = open_note(NOTE, [OTHER_KEY, PETER_KEY])
    assert (opened.text, opened.signed_by) == (TEXT, (PETER_KEY,))


def test_the_text_ends_at_the_last_empty_line() -> None:
    """The example of the specification, with an empty line inside its text, comes apart."""
    text, (signature,) = split_note(SALVATORE)
    assert text.endswith("\n\ned è subito sera.\n")
    assert (signature.name, signature.key_id.hex()) == ("quasimodo.example/salvatore", "367ba04b")
    assert len(signature.signature) == 64


@given(st.lists(st.text("a一è— :é+/=", max_size=12), min_size=1).map("\n".join))
def test_any_plain_text_comes_back(text: str) -> None:
    """Whatever the lines are, the note opens to them."""
    note = sign_note(text + "\n", "dbops/host", OTHER)
    assert open_note(note, [NoteKey("dbops/host", OTHER.public_key)]).text == text + "\n"


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    """Lines of others, even with a known name or a known id, do not disturb."""
    other = sign_note(TEXT, OTHER_KEY.name, OTHER).removeprefix(TEXT + "\n")
    same_name = sign_note(TEXT, PETER, OTHER).removeprefix(TEXT + "\n")
    same_id = PETER_LINE.replace(PETER, "someone")
    foreign = f"— witness.example/w {base64.b64encode(b'idid' + b's' * 3000).decode()}\n"
    note = f"{TEXT}\n{other}{same_name}{same_id}{foreign}{PETER_LINE}"
    assert open_note(note, [PETER_KEY]).signed_by == (PETER_KEY,)
    assert open_note(note, [PETER_KEY, OTHER_KEY]).signed_by == (OTHER_KEY, PETER_KEY)
    assert open_note(NOTE + PETER_LINE, [PETER_KEY]).signed_by == (PETER_KEY,)


def test_a_note_without_a_known_signer_is_refused() -> None:
    """However many unknown keys signed: `note-unknown`."""
    fault = refusal(NOTE, OTHER_KEY)
    assert fault.code == "note-unknown"
    assert fault.message == "none of the 1 signatures of the note is by a known key"
    assert refusal(sign_note(TEXT, PETER, OTHER)).code == "note-unknown"


def test_a_wrong_signature_of_a_known_key_is_refused() -> None:
    """Even where another known key signed rightly, an altered note is not taken."""
    fault = refusal(NOTE.replace("cryptography", "cryptographY"))
    assert fault.code == "note-signature"
    assert fault.message == (
        "the signature of PeterNeumann does not fit: the text or the signature was altered"
    )
    forged = PETER_KEY.key_id + b"\0" * 64
    line = f"— {PETER} {base64.b64encode(forged).decode()}\n"
    good = sign_note(TEXT, OTHER_KEY.name, OTHER)
    assert refusal(good + line, OTHER_KEY, PETER_KEY).code == "note-signature"
    short = f"— {PETER} {base64.b64encode(forged[:40]).decode()}\n"
    assert refusal(good + short, OTHER_KEY, PETER_KEY).code == "note-signature"


def test_no_single_change_of_a_note_goes_unseen() -> None:
    """Each character altered, left out or doubled: refused, whatever it belongs to."""
    for at, character in enumerate(NOTE):
        swapped = "A" if character != "A" else "B"
        for middle in (swapped, "", character * 2):
            changed = NOTE[:at] + middle + NOTE[at + 1 :]
            if changed != NOTE:
                assert refusal(changed).code.startswith("note-")


@pytest.mark.parametrize(
    "note",
    [
        "",
        TEXT,
        TEXT + "\n",
        NOTE.removesuffix("\n"),
        NOTE + "\n",
        NOTE + " \n",
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("\n", " \r\n", 1),
        NOTE.replace("If", "\tIf"),
        NOTE.replace("If", "\ufeffIf"),
        NOTE.replace("If", "\u202eIf"),
        NOTE.replace("If", "\ud800If"),
        NOTE.replace("If", "\0If"),
        NOTE.replace("— ", "- "),
        NOTE.replace("— ", "—  "),
        NOTE.replace("— Peter", "— Peter "),
        NOTE.replace("PeterNeumann", "Peter\u00a0Neumann"),
        NOTE.replace("PeterNeumann", "Peter+Neumann"),
        NOTE.replace("AM=\n", "AM\n"),
        NOTE.replace("AM=\n", "AN=\n"),
        NOTE.replace("AM=\n", "AM= \n"),
        f"{TEXT}\n— PeterNeumann x08gow==\n",
        TEXT * (NOTE_MOST // len(TEXT)) + "\n" + PETER_LINE,
    ],
)
def test_what_is_not_of_the_form_is_refused(note: str) -> None:
    """One form only: `note-form`, before any signature is looked at."""
    assert refusal(note).code == "note-form"


@pytest.mark.parametrize("text", ["", "no newline", "a\tb\n", "a\r\n", "a\0\n", "a\u2066\n"])
def test_a_text_that_no_note_can_carry_is_not_signed(text: str) -> None:
    """Refused before the key is used."""
    with pytest.raises(Refused) as caught:
        sign_note(text, PETER, PETER_SIGNER)
    assert caught.value.code == "note-form"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u3000b", "x" * 301])
def test_names_that_would_be_misread_are_refused(name: str) -> None:
    """A key's name has no spaces and no plus, as its line and its vkey are split at those."""
    with pytest.raises(Refused) as caught:
        NoteKey(name, OTHER.public_key)
    assert caught.value.code == "note-name"


@pytest.mark.parametrize(
    "private", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)]
)
def test_only_ed25519_signs_notes(
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> None:
    """Other kinds of keys are refused as signer and as known key."""
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    signer = KeyFileSigner(PublicKey.parse(line), private)
    with pytest.raises(Refused) as caught:
        signer.sign_note_text(b"text\n")
    assert caught.value.code == "signing-kind"
    assert caught.value.message == (
        f"a key of kind {signer.public_key.kind} cannot sign checkpoints"
    )
    with pytest.raises(Refused) as caught:
        NoteKey("name", signer.public_key)
    assert caught.value.code == "note-kind"


def test_a_note_key_never_signs_what_sshsig_signs() -> None:
    """The bytes behind an SSH signature cannot be passed off as the text of a note."""
    signed = signed_data(b"an approval\n", Namespace.APPROVAL)
    with pytest.raises(Refused) as caught:
        PETER_SIGNER.sign_note_text(signed)
    assert caught.value.code == "signing-text"


def test_a_signer_whose_signature_is_void_does_not_get_a_note() -> None:
    """A key file whose halves do not belong together is noticed before anything is handed out."""
    mixed = KeyFileSigner(OTHER.public_key, PETER_SIGNER._private)
    with pytest.raises(Failed) as caught:
        sign_note(TEXT, PETER, mixed)
    assert caught.value.code == "signing-wrong"


def test_openssl_verifies_the_signature(tmp_path: Path) -> None:
    """A key file of ours signs, and openssl alone, with the key's 32 bytes, agrees."""
    openssl = require_tool("openssl", "openssl")
    public = generate_signing_key(tmp_path / "ledger", "ledger@host")
    note = sign_note(TEXT, "dbops/host", KeyFileSigner.load(tmp_path / "ledger"))
    text, (line,) = split_note(note)
    der = bytes.fromhex("302a300506032b6570032100") + public.blob[-32:]  # RFC 8410 §4
    for name, data in {"pub": der, "text": text.encode(), "sig": line.signature}.items():
        (tmp_path / name).write_bytes(data)
    command = [str(openssl), "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"]
    command += ["-inkey", "pub", "-in", "text", "-sigfile", "sig"]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "text").write_bytes(text.encode().replace(b"answer", b"Answer"))
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode != 0
