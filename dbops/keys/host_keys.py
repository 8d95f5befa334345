"""The keys that this host holds, as far as they may be shown: never a secret half."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dbops.crypto.age import load_identities
from dbops.crypto.signing import KeyFileSigner
from dbops.crypto.trust import TrustRoot
from dbops.errors import DbopsError
from dbops.estate.values import Host
from dbops.keys.identities import public_half


class KeyUse(StrEnum):
    """What the estate says that a key file is for."""

    WRITER = "writer"
    VERIFIER = "verifier"
    CATALOGUE = "catalogue"
    IDENTITY = "identity"
    RUNNER = "runner"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs. `principal` is None where the trust root does not know it (any more)."""

    use: KeyUse
    path: Path
    fingerprint: str | None = None
    principal: str | None = None
    namespaces: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class IdentityFile:
    """A file of identities, by their public halves."""

    use: KeyUse
    path: Path
    recipients: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class HostKeys:
    """Everything that `[host]` names."""

    signing: tuple[SigningKey, ...]
    identities: tuple[IdentityFile, ...]


def read_host_keys(host: Host, trust: TrustRoot) -> HostKeys:
    """What the host's key files hold; a file that cannot be used says so in its `problem`."""
    signing = (
        read_signing_key(use, path, trust)
        for use, path in (
            (KeyUse.WRITER, host.signing_key),
            (KeyUse.VERIFIER, host.verifier_key),
        )
        if path is not None
    )
    opening = [(KeyUse.IDENTITY, path) for path in host.identities]
    if host.catalogue_identity is not None:
        opening.insert(0, (KeyUse.CATALOGUE, host.catalogue_identity))
    if host.runner_identity is not None:
        opening.append((KeyUse.RUNNER, host.runner_identity))
    return HostKeys(tuple(signing), tuple(read_identity_file(use, path) for use, path in opening))


def read_signing_key(use: KeyUse, path: Path, trust: TrustRoot) -> SigningKey:
    """Whom the key at `path` speaks for, and what it may sign."""
    try:
        key = KeyFileSigner.load(path).public_key
    except DbopsError as failure:
        return SigningKey(use, path, problem=failure.message)
    mark = key.fingerprint
    if mark in trust.revoked:
        return SigningKey(use, path, mark, problem="it is revoked")
    signer = next((signer for signer in trust.signers if signer.key == key), None)
    if signer is None:
        return SigningKey(use, path, mark, problem="it is not in the trust root")
    names = tuple(sorted(str(name) for name in signer.namespaces))
    return SigningKey(use, path, mark, signer.principal, names)


def read_identity_file(use: KeyUse, path: Path) -> IdentityFile:
    """The public halves of the identities in the file."""
    try:
        found = load_identities(path)
    except DbopsError as failure:
        return IdentityFile(use, path, problem=failure.message)
    halves = [public_half(identity) for identity in found]
    return IdentityFile(use, path, tuple(half for half in halves if half is not None))
