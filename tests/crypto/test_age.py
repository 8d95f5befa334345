"""Sealing and opening: what the `age` program seals and opens too, with clear errors."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.crypto.age import (
    Identity,
    OpeningReader,
    Recipient,
    SealingWriter,
    load_identities,
)
from dbops.errors import (
    ExitStatus,
    Failed,
    NoIdentity,
    NotFound,
    Refused,
    Unreachable,
    UsageFault,
)
from tests.fix_tools import require_root, require_tool

if TYPE_CHECKING:
    from typing_extensions import Buffer

ONE, TWO, OTHER = Identity.generate(), Identity.generate(), Identity.generate()


class Sink:
    """Keeps what is written, and fails at the `fail_at`-th write."""

    def __init__(self, fail_at: int = 0) -> None:
        self.data = b""
        self.calls = 0
        self._fail_at = fail_at

    def write(self, block: bytes, /) -> int:
        self.calls += 1
        if self.calls == self._fail_at:
            raise Failed("sink-broke", "the sink broke", hint="mend it")
        self.data += block
        return len(block)


def seal(data: bytes, *identities: Identity) -> bytes:
    sink = Sink()
    with SealingWriter(sink, [identity.recipient for identity in identities]) as writer:
        writer.write(data)
    return sink.data


def unseal(sealed: bytes, *identities: Identity, size: int = 1 << 16) -> bytes:
    with OpeningReader(io.BytesIO(sealed), identities, "the pack") as reader:
        blocks = []
        while block := reader.read(size):
            blocks.append(block)
        return b"".join(blocks)


def ssh_key(directory: Path, passphrase: str = "") -> tuple[Path, Recipient]:
    keygen = str(require_tool("ssh-keygen", "openssh-client"))
    path = directory / "key"
    command = [keygen, "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path, Recipient.parse((directory / "key.pub").read_text())


@given(st.binary(max_size=200_000), st.integers(1, 300_000))
@settings(max_examples=20, deadline=None)
def test_what_was_sealed_opens_again(data: bytes, size: int) -> None:
    """Any bytes, read in any sizes, by each of the recipients."""
    sealed = seal(data, ONE, TWO)
    assert unseal(sealed, TWO, size=size) == data
    assert unseal(sealed, OTHER, ONE) == data


def test_the_age_program_opens_what_we_seal(tmp_path: Path) -> None:
    """And so does the holder of an SSH key."""
    age = str(require_tool("age", "age"))
    path, ssh = ssh_key(tmp_path)
    sink = Sink()
    with SealingWriter(sink, [ONE.recipient, ssh]) as writer:
        writer.write(b"x" * 100_000)
    (tmp_path / "x25519").write_text(ONE.secret + "\n")
    for identity in (tmp_path / "x25519", path):
        done = subprocess.run(
            [age, "-d", "-i", str(identity)], input=sink.data, capture_output=True, check=True
        )
        assert done.stdout == b"x" * 100_000
    assert unseal(sink.data, *load_identities(path)) == b"x" * 100_000


def test_we_open_what_the_age_program_seals(tmp_path: Path) -> None:
    """To an age key and to an SSH key."""
    age = str(require_tool("age", "age"))
    path, ssh = ssh_key(tmp_path)
    for recipient, identities in ((ONE.recipient, (ONE,)), (ssh, load_identities(path))):
        done = subprocess.run(
            [age, "-r", recipient.text], input=b"rows", capture_output=True, check=True
        )
        assert unseal(done.stdout, *identities) == b"rows"


def test_another_identity_does_not_open_it() -> None:
    """That is no damage, and has an exit status of its own."""
    with pytest.raises(NoIdentity) as caught:
        unseal(seal(b"rows", ONE), OTHER)
    assert caught.value.message == "no identity at hand opens the pack"
    assert caught.value.status is ExitStatus.NO_IDENTITY


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_changed_bytes_are_damage(place: float) -> None:
    """Whatever is changed, nothing changed is returned as if it were whole."""
    sealed = bytearray(seal(os.urandom(300_000), ONE))
    header = sealed.index(b"\n---")
    sealed[header + round((len(sealed) - header - 1) * place)] ^= 1
    with pytest.raises(Failed) as caught:
        unseal(bytes(sealed), ONE)
    assert caught.value.code == "sealed-damaged"
    assert caught.value.message == "the pack is damaged: it does not decrypt"


@given(st.integers(0, 200_000))
@settings(max_examples=20, deadline=None)
def test_a_file_that_was_cut_is_damage(length: int) -> None:
    """At any place, also between two chunks."""
    sealed = seal(b"x" * 199_000, ONE)
    with pytest.raises(Failed):
        unseal(sealed[: min(length, len(sealed) - 1)], ONE)


def test_an_early_close_leaves_no_thread_behind() -> None:
    """A reader that has seen enough stops in the middle."""
    with OpeningReader(io.BytesIO(seal(bytes(5_000_000), ONE)), [ONE], "x") as reader:
        assert reader.read(10) == bytes(10)


def test_whichever_write_fails_the_writer_hears_of_it() -> None:
    """The sink's own error comes out, also that of the very last write."""
    sink = Sink()
    with SealingWriter(sink, [ONE.recipient]) as whole:
        whole.write(b"x" * 200_000)
    for fail_at in range(1, sink.calls + 1):
        writer = SealingWriter(Sink(fail_at), [ONE.recipient])
        with pytest.raises(Failed) as caught:  # noqa: PT012 - either of the two may hear of it
            writer.write(b"x" * 200_000)
            writer.close()
        writer.abandon()
        assert caught.value.code == "sink-broke"


def test_a_sink_that_fails_early_stops_a_long_write() -> None:
    """The writer does not go on into a broken pipe."""
    writer = SealingWriter(Sink(fail_at=2), [ONE.recipient])
    with pytest.raises(Failed, match="the sink broke"):  # noqa: PT012 - some write hears of it
        for _ in range(100):
            writer.write(bytes(1 << 20))
    writer.abandon()


SMALL = """
import os, resource, io
from dbops.crypto.age import Identity, SealingWriter
os.setuid(65534)
held = []
one = Identity.generate()
class Sink:
    def write(self, block, /):
        return len(block)
for _ in range(80):
    held.append(SealingWriter(Sink(), [one.recipient]))
for writer in held:
    writer.write(b"x")
    writer.close()
print("closed")
"""


def test_many_writers_of_a_poor_account_share_what_pipes_there_are(tmp_path: Path) -> None:
    """Linux lets an account have 64 MiB of pipes; beyond that they are small, and work."""
    require_root("becoming another account")
    done = subprocess.run(
        [sys.executable, "-c", SMALL],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "closed\n", done.stderr[-500:]


@pytest.mark.parametrize("text", ["", "age1", "ssh-ed25519", "hello", "age1" + "q" * 58])
def test_what_is_no_recipient_is_refused(text: str) -> None:
    """With the beginning of what was given."""
    with pytest.raises(UsageFault) as caught:
        Recipient.parse(text)
    assert caught.value.message == f"not an age recipient: {text[:24]}"
    assert caught.value.hint == (
        "a recipient starts with age1 or ssh-ed25519; dbops keys new makes one"
    )


def key_file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "identity"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_key_file_holds_one_identity_a_line(tmp_path: Path) -> None:
    """Comments and empty lines are passed over; the secret is never shown."""
    path = key_file(tmp_path, f"# made\n\n{ONE.secret}\n  {TWO.secret}\n")
    assert load_identities(path) == (ONE, TWO)
    assert ONE.secret not in repr(load_identities(path))


def test_a_key_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """With the path that was looked at."""
    with pytest.raises(NotFound) as caught:
        load_identities(tmp_path / "none")
    assert caught.value.message == f"no identity file {tmp_path / 'none'}"


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """And the hint closes it."""
    path = key_file(tmp_path, ONE.secret, 0o640)
    with pytest.raises(Refused) as caught:
        load_identities(path)
    assert caught.value.message == f"identity file {path} is open to others (mode 0640)"
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("text", ["", "# nothing\n", "hello\n", "AGE-SECRET-KEY-1QQQ\n"])
def test_a_key_file_without_an_identity_is_named(tmp_path: Path, text: str) -> None:
    """Its content is not shown: it may be a secret in the wrong form."""
    path = key_file(tmp_path, text)
    with pytest.raises(UsageFault) as caught:
        load_identities(path)
    assert caught.value.message == f"identity file {path} holds no age identity"


def test_an_ssh_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    """No command asks for one: the message says so, and nothing hangs or fails later."""
    path, _ = ssh_key(tmp_path, "secret words")
    with pytest.raises(UsageFault) as caught:
        load_identities(path)
    assert caught.value.message == (
        f"identity file {path} holds an SSH key that has a passphrase, or is no ed25519 key"
    )


def test_an_ssh_identity_cannot_name_its_recipient_here(tmp_path: Path) -> None:
    """A host's catalogue identity is an age one; another kind is a fault of the configuration."""
    path, _ = ssh_key(tmp_path)
    (identity,) = load_identities(path)
    with pytest.raises(UsageFault) as caught:
        _ = identity.recipient
    assert caught.value.code == "identity-kind"


class FailingSource(io.BytesIO):
    """A disk that fails half-way."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 100_000:
            raise Unreachable("store-unreachable", "the disk failed", hint="mend it")
        return super().read(size)

    def readinto(self, buffer: Buffer, /) -> int:
        if self.tell() > 100_000:
            raise Unreachable("store-unreachable", "the disk failed", hint="mend it")
        return super().readinto(buffer)


def test_a_disk_that_fails_is_not_taken_for_damage() -> None:
    """The source's own error comes out: a backup is not damaged because a disk cannot be read."""
    source = FailingSource(seal(bytes(1_000_000), ONE))
    with OpeningReader(source, [ONE], "the pack") as reader:
        with pytest.raises(Unreachable) as caught:
            reader.read(1_000_000)
    assert caught.value.message == "the disk failed"
