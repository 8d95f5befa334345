"""Seal bytes to recipients and open them with identities: the age v1 format, through pyrage.

This is the only module that imports pyrage. Source of the format: https://age-encryption.org/v1.

age works on whole streams and pulls its input, dbops pushes. A pipe and one thread stand between,
so memory stays at the size of the pipe whatever the size of the data.
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

import pyrage

from dbops.errors import Failed, NoIdentity, NotFound, Refused, UsageFault

PIPE_BYTES = 1 << 20


class BlockSink(Protocol):
    """Takes bytes in order."""

    def write(self, block: bytes, /) -> int: ...


@dataclass(frozen=True, slots=True, order=True)
class Recipient:
    """The public half: who can open what is sealed. `text` is an age or ssh-ed25519 public key."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Recipient:
        """Return the recipient; raise UsageFault where it is none that this version can seal to.

        The comment of an SSH key is dropped: one key is one recipient, whatever it is called.
        """
        words = text.split()
        recipient = cls(" ".join(words[:2]) if text.startswith("ssh-") else " ".join(words))
        recipient.open_key()
        return recipient

    def open_key(self) -> pyrage.x25519.Recipient | pyrage.ssh.Recipient:
        """The form that pyrage seals to."""
        try:
            # age seals to ssh-rsa too; drills and the count of stanzas know ed25519 only.
            if self.text.startswith("ssh-ed25519 "):
                return pyrage.ssh.Recipient.from_str(self.text)
            return pyrage.x25519.Recipient.from_str(self.text)
        except (pyrage.RecipientError, ValueError):
            raise UsageFault(
                "recipient-invalid",
                f"not an age recipient: {self.text[:24]}",
                hint="a recipient starts with age1 or ssh-ed25519; dbops keys new makes one",
            ) from None

    @property
    def stanza(self) -> str:
        """The type of header stanza that sealing to this recipient writes."""
        return "ssh-ed25519" if self.text.startswith("ssh-") else "X25519"


@dataclass(frozen=True, slots=True)
class Identity:
    """The secret half: opens what was sealed to its recipient. Never shown."""

    secret: str = field(repr=False)

    @classmethod
    def generate(cls) -> Identity:
        """A fresh X25519 identity from the operating system's randomness."""
        return cls(str(pyrage.x25519.Identity.generate()))

    @property
    def recipient(self) -> Recipient:
        """The public half; only X25519 identities can name it."""
        if self.is_ssh:
            raise UsageFault(
                "identity-kind",
                "an age identity is needed here, and an SSH key was given",
                hint="make one: dbops keys new --help",
            )
        return Recipient(str(pyrage.x25519.Identity.from_str(self.secret).to_public()))

    @property
    def is_ssh(self) -> bool:
        return self.secret.startswith("-----BEGIN")

    def open_key(self) -> pyrage.x25519.Identity | pyrage.ssh.Identity:
        if self.is_ssh:
            return pyrage.ssh.Identity.from_buffer(self.secret.encode())
        return pyrage.x25519.Identity.from_str(self.secret)


def load_identities(path: Path) -> tuple[Identity, ...]:
    """Return the identities of a key file: age secret keys, one a line, or one OpenSSH key.

    Raises NotFound where there is no such file, Refused where others may read it, and
    UsageFault where it holds no identity.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text("ascii")
    except FileNotFoundError:
        raise NotFound(
            "no-identity-file", f"no identity file {path}", hint="dbops keys list"
        ) from None
    except (OSError, UnicodeDecodeError):
        raise Failed(
            "identity-unreadable",
            f"identity file {path} cannot be read",
            hint=f"check its owner and mode: ls -l {path}",
        ) from None
    if mode & 0o077:
        raise Refused(
            "key-file-open",
            f"identity file {path} is open to others (mode {mode:04o})",
            hint=f"chmod 600 {path}",
        )
    return _identities_in(text, path)


def _identities_in(text: str, path: Path) -> tuple[Identity, ...]:
    found: tuple[Identity, ...]
    if text.startswith("-----BEGIN OPENSSH PRIVATE KEY-----"):
        found = (Identity(text),)
    else:
        lines = (line.strip() for line in text.splitlines())
        found = tuple(Identity(line) for line in lines if line and not line.startswith("#"))
    try:
        for identity in found:
            identity.open_key()
    except (pyrage.IdentityError, ValueError):
        if found[0].is_ssh:
            raise UsageFault(
                "identity-locked",
                f"identity file {path} holds an SSH key that has a passphrase,"
                " or is no ed25519 key",
                hint="name an age identity, or an ssh-ed25519 key without a passphrase",
            ) from None
        found = ()
    if not found:
        raise UsageFault(
            "identity-invalid",
            f"identity file {path} holds no age identity",
            hint="an identity starts with AGE-SECRET-KEY-1; dbops keys new makes one",
        )
    return found


def _wide_pipe() -> tuple[int, int]:
    source, target = os.pipe()
    # Linux grants an account so many bytes of pipes (pipe(7)); beyond that a narrow one does.
    with suppress(OSError):
        fcntl.fcntl(target, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return source, target


class _RememberingSink:
    """Keeps the sink's own error, which pyrage would turn into words."""

    def __init__(self, sink: BlockSink) -> None:
        self._sink = sink
        self.failure: BaseException | None = None

    def write(self, block: bytes, /) -> int:
        try:
            return self._sink.write(block)
        except BaseException as failure:
            self.failure = failure
            raise

    def flush(self) -> None:
        """pyrage flushes at the end; durability is the store's business."""


class SealingWriter:
    """Seals what is written to it into `sink`; after `close()` the sink holds a whole age file.

    Closing early (an exception in the `with` block) also ends the file: whoever owns the sink
    must then discard it. Memory: two pipe buffers.
    """

    def __init__(self, sink: BlockSink, recipients: Sequence[Recipient]) -> None:
        self._keys = [recipient.open_key() for recipient in recipients]
        self._sink = sink
        self._failure: BaseException | None = None
        source, target = _wide_pipe()
        self._source = os.fdopen(source, "rb", buffering=PIPE_BYTES)
        self._target = os.fdopen(target, "wb", buffering=0)
        self._thread = threading.Thread(target=self._seal, daemon=True)
        self._thread.start()

    def _seal(self) -> None:
        sink = _RememberingSink(self._sink)
        try:
            with self._source:
                pyrage.encrypt_io(self._source, sink, self._keys)
        except BaseException as failure:  # noqa: BLE001 - carried to the thread that writes
            self._failure = failure
        # pyrage writes its last bytes while it lets go of the sink, and does not look whether
        # that worked: the sink's own word counts, whatever pyrage says.
        self._failure = sink.failure or self._failure

    def write(self, block: bytes, /) -> int:
        """Take the whole block; raises what the sink raised, if it failed."""
        view = memoryview(block)
        try:
            while view:
                view = view[self._target.write(view) or 0 :]
        except BrokenPipeError:
            self.close()
            raise
        return len(block)

    def close(self) -> None:
        """Wait until the last sealed byte has reached the sink."""
        if not self._target.closed:
            self._target.close()
        self._thread.join()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Stop without complaint: the caller already has an error to report."""
        self._target.close()
        self._thread.join()


class OpeningReader:
    """Reads the plaintext of an age file.

    `read` raises NoIdentity where none of the identities opens it and Failed where the file was
    changed or cut. Data that was returned before such an error is authentic, but may not be all:
    only a `read` that returns b"" says that the whole file was authentic.
    """

    def __init__(self, source: BinaryIO, identities: Sequence[Identity], name: str) -> None:
        self._keys = [identity.open_key() for identity in identities]
        self._name = name
        self._failure: BaseException | None = None
        plain, feed = _wide_pipe()
        self._plain = os.fdopen(plain, "rb", buffering=PIPE_BYTES)
        self._feed = os.fdopen(feed, "wb", buffering=0)
        self._source = source
        self._thread = threading.Thread(target=self._open, daemon=True)
        self._thread.start()

    def _open(self) -> None:
        try:
            with self._feed:
                pyrage.decrypt_io(self._source, self._feed, self._keys)
        except BaseException as failure:  # noqa: BLE001 - carried to the thread that reads
            self._failure = failure

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes of plaintext, b"" at the authentic end."""
        block = self._plain.read(size)
        if len(block) < size:
            self._thread.join()
            if self._failure is not None:
                self._raise()
        return block

    def _raise(self) -> None:
        failure = self._failure
        # A damaged payload arrives as an OSError without a number, a failing disk with one.
        damaged = isinstance(failure, OSError) and failure.errno is None
        if failure is not None and not damaged and not isinstance(failure, pyrage.DecryptError):
            raise failure
        # pyrage has one error type for all causes; only its words tell a wrong key from damage.
        if "No matching keys" in str(failure):
            raise NoIdentity(
                "no-identity",
                f"no identity at hand opens {self._name}",
                hint="name one with --identity FILE, or add it to host.identities in dbops.toml",
            ) from None
        raise Failed(
            "sealed-damaged",
            f"{self._name} is damaged: it does not decrypt",
            hint="dbops backup verify --all --level stored names every damaged object",
        ) from None

    def close(self) -> None:
        """Stop reading; the source may be closed afterwards."""
        self._plain.close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
