"""Signatures that ssh tools or a forger would make, and that must not count as approvals."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tempfile
from pathlib import Path

from dbops.crypto.sshsig import Namespace
from dbops.crypto.sshwire import string
from tests.fix_tools import require_tool
from tests.review.desk import key_directory, signer_of


def git_commit_signature(text: bytes, name: str) -> bytes:
    """What `git commit -S` asks of ssh-keygen: the key's own signature, for git."""
    require_tool("ssh-keygen", "openssh-client")
    signer_of(name)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", str(key_directory() / name)]
    return subprocess.run(command, input=text, check=True, capture_output=True).stdout


def md5_signature(text: bytes, name: str, namespace: Namespace) -> bytes:
    """A true signature whose message went through MD5."""
    return _armored(text, name, namespace, signer_of(name).public_key.blob, "md5")


def certificate_signature(text: bytes, name: str, namespace: Namespace) -> bytes:
    """A true signature by a key that shows a certificate instead of itself."""
    require_tool("ssh-keygen", "openssh-client")
    signer_of(name)
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        authority, public = place / "authority", place / "key.pub"
        public.write_bytes((key_directory() / f"{name}.pub").read_bytes())
        for command in (
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(authority)],
            ["ssh-keygen", "-q", "-s", str(authority), "-I", "it", "-n", name, str(public)],
        ):
            subprocess.run(command, check=True, capture_output=True)
        blob = base64.b64decode((place / "key-cert.pub").read_text().split(" ")[1])
    return _armored(text, name, namespace, blob, "sha512")


def _armored(text: bytes, name: str, namespace: Namespace, blob: bytes, digest: str) -> bytes:
    """PROTOCOL.sshsig, written out by hand."""
    hashed = hashlib.new(digest, text, usedforsecurity=False).digest()
    space = namespace.value.encode()
    signed = b"SSHSIG" + b"".join(map(string, (space, b"", digest.encode(), hashed)))
    raw = signer_of(name)._private.sign(signed)  # type: ignore[call-arg] # ed25519 takes no more
    signature = string(b"ssh-ed25519") + string(raw)
    fields = (blob, space, b"", digest.encode(), signature)
    whole = b"SSHSIG" + (1).to_bytes(4, "big") + b"".join(map(string, fields))
    lines = base64.b64encode(whole).decode()
    body = "\n".join(lines[at : at + 70] for at in range(0, len(lines), 70))
    return f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n".encode()
