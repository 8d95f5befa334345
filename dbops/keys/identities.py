"""The public halves of identities, in one spelling, so that keys can be compared."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)

from dbops.crypto.age import Identity


def canonical(recipient: str) -> str:
    """The recipient without the comment that an ssh public key may carry."""
    return " ".join(recipient.split()[:2])


def public_half(identity: Identity) -> str | None:
    """The recipient that the identity opens for; None where the key does not tell."""
    if not identity.is_ssh:
        return identity.recipient.text
    try:
        key = load_ssh_private_key(identity.secret.encode(), None)
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return None
    return canonical(public.decode("ascii"))
