"""Headers of sealed files: who can open them, shown without their data."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.crypto.age import Identity, OpeningReader, SealingWriter, load_identities
from dbops.crypto.age_header import opens, read_header
from dbops.errors import DbopsError, Failed, UsageFault
from tests.crypto.test_age import Sink, seal, ssh_key
from tests.fix_tools import require_tool

ONE, TWO, OTHER = Identity.generate(), Identity.generate(), Identity.generate()
SEALED = seal(b"rows" * 1000, ONE, TWO)


def test_the_header_is_what_stands_before_the_data() -> None:
    """Its bytes are exact, and two recipients are two stanzas beside age's own decoys."""
    header = read_header(SEALED, "the pack")
    assert SEALED.startswith(header.text)
    assert header.text.endswith(b"\n")
    kinds = [stanza.kind for stanza in header.stanzas]
    assert kinds.count("X25519") == 2
    assert len(header.mac) == 32


def test_each_holder_opens_the_header_and_nobody_else() -> None:
    """The header alone is enough to know."""
    header = read_header(read_header(SEALED, "x").text, "x")
    assert opens(ONE, header)
    assert opens(TWO, header)
    assert not opens(OTHER, header)


def test_an_ssh_key_opens_its_stanza(tmp_path: Path) -> None:
    """ssh-ed25519, as ssh-keygen makes it, sealed by us and by the age program."""
    age = str(require_tool("age", "age"))
    path, recipient = ssh_key(tmp_path)
    (tmp_path / "other").mkdir()
    (identity,), (other,) = load_identities(path), load_identities(ssh_key(tmp_path / "other")[0])
    sink = Sink()
    with SealingWriter(sink, [ONE.recipient, recipient]) as writer:
        writer.write(b"rows")
    program = subprocess.run(
        [age, "-r", recipient.text, "-r", ONE.recipient.text],
        input=b"rows",
        capture_output=True,
        check=True,
    )
    for sealed in (sink.data, program.stdout):
        header = read_header(sealed, "x")
        assert opens(identity, header)
        assert opens(ONE, header)
        assert not opens(other, header)


def test_a_changed_header_opens_to_nobody() -> None:
    """Its MAC covers every byte: a stanza cannot be removed or replaced unseen."""
    text = read_header(SEALED, "x").text
    for position in range(len(text) - 1):
        changed = text[:position] + bytes([text[position] ^ 1]) + text[position + 1 :]
        try:
            header = read_header(changed, "x")
        except Failed:
            continue
        assert not opens(ONE, header) or not opens(TWO, header)


def test_a_mac_has_one_spelling() -> None:
    """Of the four letters that decode to the same last bits only the canonical one counts."""
    text = read_header(SEALED, "x").text
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    value = letters.index(text[-2])
    for letter in letters[value + 1 : value + 4]:
        with pytest.raises(Failed):
            read_header(text[:-2] + bytes([letter]) + b"\n", "x")
    with pytest.raises(Failed):
        read_header(text[:-1] + b"=\n", "x")


@given(st.integers(0, len(SEALED) - 1), st.integers(0, 7))
def test_what_the_header_says_is_what_opening_does(position: int, bit: int) -> None:
    """For any flipped bit of the header both agree whether the file opens."""
    text = read_header(SEALED, "x").text
    position %= len(text)
    changed = SEALED[:position] + bytes([SEALED[position] ^ 1 << bit]) + SEALED[position + 1 :]
    try:
        claimed = opens(ONE, read_header(changed, "x"))
    except Failed:
        claimed = False
    try:
        with OpeningReader(io.BytesIO(changed), [ONE], "x") as reader:
            found = reader.read(10) != b""
    except DbopsError:
        found = False
    assert claimed is found


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_our_own_words(data: bytes) -> None:
    """Whatever stands there, the error names the file."""
    for text in (data, b"age-encryption.org/v1\n" + data, b"age-encryption.org/v1\n-> " + data):
        with pytest.raises(Failed) as caught:
            read_header(text, "the pack")
        assert caught.value.message == ("the pack is damaged: it does not begin with an age header")


def test_a_kind_of_key_that_no_drill_takes_is_refused(tmp_path: Path) -> None:
    """rsa keys, and keys with a passphrase."""
    keygen = str(require_tool("ssh-keygen", "openssh-client"))
    rsa = tmp_path / "rsa"
    subprocess.run([keygen, "-q", "-t", "rsa", "-N", "", "-f", str(rsa)], check=True)
    with pytest.raises(UsageFault) as caught:
        opens(Identity(rsa.read_text()), read_header(SEALED, "x"))
    assert caught.value.code == "identity-kind"
    locked, _ = ssh_key(tmp_path, "secret words")
    with pytest.raises(UsageFault) as caught:
        opens(Identity(locked.read_text()), read_header(SEALED, "x"))
    assert caught.value.code == "identity-kind"
