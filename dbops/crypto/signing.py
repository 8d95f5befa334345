"""Signers: a key file signs through `cryptography`, agents and hardware keys through `ssh-keygen`.

Each signature is checked with the strict verifier before it is handed out, so a fault in the key,
the tool or the machine never leaves this module as a signature.
"""

from __future__ import annotations

import binascii
import errno
import os
import re
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)

from dbops.crypto import sshwire
from dbops.crypto.sshsig import (
    CURVE_HASHES,
    RSA_HASHES,
    Namespace,
    PublicKey,
    armored,
    check_signature,
    signed_data,
)
from dbops.crypto.sshwire import Reader, Subject, mpint, string
from dbops.errors import DbopsError, Failed, NotFound, Refused, UsageFault
from dbops.publish import sync_directory

TOUCH_SECONDS: Final = 120  # how long a person gets to touch a hardware key or type a passphrase
KEY_FILE_MOST: Final = 65536  # bytes

_KEY_FILE: Final = re.compile(
    rb"-----BEGIN OPENSSH PRIVATE KEY-----\s([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----\s*"
)
_KEY_MAGIC: Final = b"openssh-key-v1\0"
_COMMENT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Signer(Protocol):
    """Signs in the name of one key."""

    @property
    def public_key(self) -> PublicKey:
        """The key whose signatures `sign` returns."""

    def sign(self, message: bytes, namespace: Namespace) -> str:
        """Return the armored signature of `message` for `namespace`."""


@dataclass(frozen=True, slots=True)
class KeyFileSigner:
    """Signs with the private key of an OpenSSH key file, held in memory."""

    public_key: PublicKey
    _private: PrivateKey = field(repr=False)

    @classmethod
    def load(cls, path: Path, passphrase: bytes | None = None) -> KeyFileSigner:
        """Return the signer for the OpenSSH private key at `path`.

        Raises `NotFound` where there is no such file, and `Refused` with a `key-file-…` code where
        others can read it, where it is of another form, or where the passphrase does not open it.
        A passphrase for a key that has none is ignored.
        """
        data = _read_private(path)
        public_key, encrypted = _read_header(data, path)
        if encrypted and not passphrase:
            raise Refused(
                "key-file-encrypted",
                f"signing key {path.name} has a passphrase, and none was given",
                hint=f"sign through ssh-agent: ssh-add {path}, then name {path.name}.pub",
            )
        private = _open_private(data, passphrase if encrypted else None, path)
        return cls(public_key, private)

    def sign(self, message: bytes, namespace: Namespace) -> str:
        """Return the armored signature of `message` for `namespace`, by sha512."""
        signature = _sign_raw(self._private, self.public_key.kind, signed_data(message, namespace))
        armor = armored(self.public_key, namespace, signature)
        return _checked(armor, message, namespace, self.public_key)

    def sign_note_text(self, text: bytes) -> bytes:
        """Return the 64 bytes of the bare Ed25519 signature of `text`: RFC 8032 §5.1.6.

        For `dbops/crypto/note.py`, whose texts have no NUL, so that none can be what SSHSIG signs;
        other bytes, and keys other than ed25519, are `Refused`.
        """
        if not isinstance(self._private, ed25519.Ed25519PrivateKey):
            raise Refused(
                "signing-kind",
                f"a key of kind {self.public_key.kind} cannot sign checkpoints",
                hint="make an ed25519 key: ssh-keygen -t ed25519 -f FILE",
            )
        if b"\0" in text:
            raise Refused(
                "signing-text",
                "the text to be signed holds a NUL, so it is not the text of a note",
                hint="sign documents with sign: their signatures name what they are for",
            )
        return self._private.sign(text)


@dataclass(frozen=True, slots=True)
class SshKeygenSigner:
    """Signs by `ssh-keygen -Y sign`, so with agents, hardware keys and their prompts.

    `public_key_path` is the `.pub` file; ssh-keygen looks for the key in the agent first and
    beside the file second. OpenSSH 8.1 or later.
    """

    public_key_path: Path

    @property
    def public_key(self) -> PublicKey:
        """The key in the `.pub` file."""
        try:
            return PublicKey.parse(self.public_key_path.read_text("utf-8"))
        except FileNotFoundError:
            raise NotFound(
                "key-file-missing",
                f"there is no public key {self.public_key_path.name}",
                hint=f"look for it: ls -l {self.public_key_path.parent}",
            ) from None
        except (OSError, UnicodeDecodeError):
            raise Failed(
                "key-file-unreadable",
                f"public key {self.public_key_path.name} cannot be read",
                hint=f"look at it: ssh-keygen -l -f {self.public_key_path}",
            ) from None

    def sign(self, message: bytes, namespace: Namespace) -> str:
        """Return the armored signature; a person may have to touch the key within 120 s."""
        public_key = self.public_key
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace.value]
        armor = _run_ssh_keygen([*command, "-f", str(self.public_key_path)], message)
        return _checked(armor, message, namespace, public_key)


def generate_signing_key(path: Path, comment: str) -> PublicKey:
    """Write a new ed25519 key to `path` (0600) and `path`.pub (0644), both durable; return it.

    An existing file is never replaced: `Refused`, and nothing is written. A crash may leave the
    private key without its `.pub` (`ssh-keygen -y -f PATH` prints it again) or cut short.
    """
    if not _COMMENT.fullmatch(comment):
        raise UsageFault(
            "key-comment",
            "the comment of a key holds control characters",
            hint="write a comment of one line, such as host@hospital",
        )
    private = ed25519.Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes_raw()
    public_key = PublicKey.from_blob(string(sshwire.ED25519.encode("ascii")) + string(raw))
    line = f"{public_key.line} {comment}".rstrip(" ") + "\n"
    public_path = path.with_name(path.name + ".pub")
    if os.path.lexists(public_path):
        raise _exists(public_path)
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    _create(path, secret, 0o600)
    try:
        _create(public_path, line.encode("utf-8"), 0o644)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return public_key


def _checked(armor: str, message: bytes, namespace: Namespace, key: PublicKey) -> str:
    """Return `armor` if it is what the key's owner meant to hand out."""
    try:
        signer = check_signature(message, armor, namespace)
    except Refused as fault:
        raise Failed(
            "signing-wrong", f"the signature just made is void: {fault.message}", hint=fault.hint
        ) from None
    if signer != key:
        raise Failed(
            "signing-key",
            "another key signed than the one that was named",
            hint="compare the fingerprints: ssh-add -l; ssh-keygen -l -f FILE.pub",
        )
    return armor


def _sign_raw(private: PrivateKey, kind: str, signed: bytes) -> bytes:
    """Return the SSH signature blob: RFC 8709 §6, RFC 5656 §3.1.2, RFC 8332 §3."""
    if isinstance(private, rsa.RSAPrivateKey):
        kind = "rsa-sha2-512"
        raw = private.sign(signed, padding.PKCS1v15(), RSA_HASHES[kind])
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        chosen = ec.ECDSA(CURVE_HASHES[private.curve.key_size])
        pair = utils.decode_dss_signature(private.sign(signed, chosen))
        raw = b"".join(map(mpint, pair))
    else:
        raw = private.sign(signed)
    return string(kind.encode("ascii")) + string(raw)


def _read_private(path: Path) -> bytes:
    """Return the file's bytes; without waiting, as a pipe in its place must not hang a night."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _key_file_fault("format", f"signing key {path.name} is not a file", path)
            if status.st_mode & 0o077:
                mode = stat.S_IMODE(status.st_mode)
                raise Refused(
                    "key-file-open",
                    f"signing key {path.name} is readable by others (mode {mode:04o})",
                    hint=f"chmod 600 {path}",
                )
            return file.read(KEY_FILE_MOST)
    except FileNotFoundError:
        raise NotFound(
            "key-file-missing",
            f"there is no signing key {path.name}",
            hint=f"look for it: ls -l {path.parent}",
        ) from None
    except OSError as fault:
        raise Failed(
            "key-file-unreadable",
            f"signing key {path.name} cannot be read ({_errno_name(fault)})",
            hint=f"look at it: ls -l {path}",
        ) from None


def _read_header(data: bytes, path: Path) -> tuple[PublicKey, bool]:
    """Return the public key of a key file and whether the file is encrypted: PROTOCOL.key §1."""
    match = _KEY_FILE.fullmatch(data)
    try:
        blob = binascii.a2b_base64(match[1]) if match else b""
    except binascii.Error:
        blob = b""
    if not blob.startswith(_KEY_MAGIC):
        raise _key_file_fault(
            "format", f"signing key {path.name} is not an openssh private key", path
        )
    reader = Reader(blob[len(_KEY_MAGIC) :], Subject.KEY_FILE)
    cipher = reader.string()
    reader.string()  # key derivation
    reader.string()  # its options
    if reader.uint32() != 1:
        raise _key_file_fault("format", f"signing key {path.name} holds several keys", path)
    key = PublicKey.from_blob(reader.string())
    if key.kind in {sshwire.SK_ED25519, sshwire.SK_ECDSA}:
        raise Refused(
            "key-file-kind",
            f"signing key {path.name} is only the handle of a hardware key",
            hint=f"sign through ssh-keygen with {path}.pub",
        )
    return key, cipher != b"none"


def _open_private(data: bytes, passphrase: bytes | None, path: Path) -> PrivateKey:
    try:
        private = load_ssh_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidTag):
        if passphrase is None:
            raise _key_file_fault("format", f"signing key {path.name} is damaged", path) from None
        raise Refused(
            "key-file-passphrase",
            f"the passphrase does not open signing key {path.name}",
            hint=f"try it: ssh-keygen -y -f {path}",
        ) from None
    if not isinstance(private, PrivateKey):
        raise _key_file_fault("kind", f"signing key {path.name} is of an unknown kind", path)
    return private


def _key_file_fault(reason: str, message: str, path: Path) -> Refused:
    return Refused(f"key-file-{reason}", message, hint=f"check the file: ssh-keygen -y -f {path}")


def _run_ssh_keygen(command: list[str], message: bytes) -> str:
    """Return what ssh-keygen writes; its own words stay on the terminal of the person signing."""
    hint = "see whether the agent has the key (ssh-add -L) and sign by hand: " + " ".join(command)
    try:
        done = subprocess.run(
            command, input=message, stdout=subprocess.PIPE, timeout=TOUCH_SECONDS, check=False
        )
    except FileNotFoundError:
        raise Failed(
            "ssh-keygen-missing",
            "there is no ssh-keygen on this host",
            hint="install it: apt-get install openssh-client",
        ) from None
    except subprocess.TimeoutExpired:
        raise Failed(
            "ssh-keygen-timeout", f"ssh-keygen did not sign within {TOUCH_SECONDS} s", hint=hint
        ) from None
    if done.returncode != 0:
        raise Failed(
            "ssh-keygen-failed", f"ssh-keygen did not sign (status {done.returncode})", hint=hint
        )
    return done.stdout.decode("ascii", "replace")


def _create(path: Path, data: bytes, mode: int) -> None:
    """Create `path` with exactly `data` and `mode`, durable together with its name."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as fault:
        raise _unwritten(path, fault) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)
    except OSError as fault:
        path.unlink(missing_ok=True)
        raise _unwritten(path, fault) from None


def _exists(path: Path) -> DbopsError:
    return Refused(
        "key-file-exists",
        f"{path.name} exists already, and a key is never replaced",
        hint="choose another name for the new key",
    )


def _unwritten(path: Path, fault: OSError) -> DbopsError:
    return Failed(
        "key-file-write",
        f"key file {path.name} could not be written ({_errno_name(fault)})",
        hint=f"look at the directory: ls -ld {path.parent}",
    )


def _errno_name(fault: OSError) -> str:
    return errno.errorcode.get(fault.errno or 0, "unknown error")
