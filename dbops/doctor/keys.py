"""Keys: does the trust root know them, do the right ones lie here, and do the wrong ones not?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from dbops.crypto.age import load_identities
from dbops.crypto.signing import KeyFileSigner
from dbops.crypto.sshsig import Namespace, PublicKey
from dbops.crypto.trust import TrustRoot
from dbops.doctor.finding import Finding, ok, problem, problem_of, warning
from dbops.errors import DbopsError
from dbops.estate.values import Estate, Host
from dbops.keys.host_keys import KeyUse, read_identity_file
from dbops.keys.identities import canonical, public_half
from dbops.keys.recipients import read_signed_recipients
from dbops.repository.recipients import RecipientEntry, RecipientList, Role

EXPIRES_SOON = timedelta(days=30)
WRITER_SIGNS = (Namespace.MANIFEST, Namespace.EXPIRY)
VERIFIER_SIGNS = (Namespace.CERTIFICATE,)
KEPT_OFFLINE = frozenset({Role.RECOVERY, Role.ESCROW})
HOSPITAL_FOLDER = "hospital"
"""Where `dbops init` puts what the hospital takes away."""


def check_signing_keys(host: Host, trust: TrustRoot, now: datetime) -> Iterator[Finding]:
    """What this host signs is believed: today, and for some time to come."""
    writer = None if host.signing_key is None else _load_key(host.signing_key)
    if writer is None:
        yield ok("no-writer", "this host signs no backups: it takes none")
    else:
        yield from _check_signer(writer, "signing key", WRITER_SIGNS, trust, now)
    if host.verifier_key is None:
        yield ok("no-verifier", "this host signs no certificates: it does not verify")
        return
    verifier = _load_key(host.verifier_key)
    yield from _check_signer(verifier, "verifier key", VERIFIER_SIGNS, trust, now)
    if isinstance(writer, PublicKey) and writer == verifier:
        yield warning(
            "one-key-for-both",
            "writer and verifier sign with the same key: who forges a backup also certifies it",
            "make the verifier a key of its own: dbops keys new signing --out FILE",
        )


def _load_key(path: Path) -> PublicKey | DbopsError:
    try:
        return KeyFileSigner.load(path).public_key
    except DbopsError as failure:
        return failure


def _check_signer(
    key: PublicKey | DbopsError,
    title: str,
    wanted: tuple[Namespace, ...],
    trust: TrustRoot,
    now: datetime,
) -> Iterator[Finding]:
    if isinstance(key, DbopsError):
        yield problem_of(key)
        return
    try:
        (principal,) = {trust.judge(key, namespace, now) for namespace in wanted}
    except DbopsError as failure:
        yield problem_of(failure)
        return
    yield ok("key-trusted", f"{title} signs as {principal}: {', '.join(wanted)}")
    ends = next(signer.valid_before for signer in trust.signers if signer.key == key)
    if ends is not None and ends - now < EXPIRES_SOON:
        yield warning(
            "key-expires",
            f"{title} of {principal} is believed only until {ends:%Y-%m-%d}",
            "have the hospital extend its line in allowed_signers, or make a new key",
        )


def check_recipients(estate: Estate, trust: TrustRoot, now: datetime) -> Iterator[Finding]:
    """The list is the hospital's, and the keys on this host fit it."""
    try:
        found = read_signed_recipients(estate.recipients, trust, now)
    except DbopsError as failure:
        yield problem_of(failure)
        return
    who = _named(e for e in found.listed.recipients if e.role.opens_backups)
    rows = _named(e for e in found.listed.recipients if not e.role.opens_backups)
    more = f"; and rows of repairs: {rows}" if rows else ""
    yield ok("recipients-signed", f"{found.principal} signed who can open backups: {who}{more}")
    yield from _check_catalogue(estate.host, found.listed)
    yield from _check_identities(estate.host, found.listed)
    yield from _check_runner(estate.host, found.listed)
    yield from _check_left_behind(estate, found.listed)


def _check_catalogue(host: Host, listed: RecipientList) -> Iterator[Finding]:
    if host.catalogue_identity is None:
        if host.signing_key is not None:
            yield problem(
                "no-catalogue-identity",
                "this host signs backups and has no catalogue identity: it can take none",
                "dbops keys new catalogue --out FILE, and name it in dbops.toml under [host]",
            )
        return
    file = read_identity_file(KeyUse.CATALOGUE, host.catalogue_identity)
    if file.problem is not None:
        yield problem("catalogue-identity", file.problem, "dbops keys new catalogue --out FILE")
        return
    entry = _entry_of(file.recipients, listed)
    if entry is not None:
        yield problem(
            "catalogue-opens-backups",
            f"the catalogue identity is also {entry.role.value} recipient {entry.name}:"
            " this host reads what it should only write",
            "make another one: dbops keys new catalogue --out FILE",
        )
    else:
        yield ok("catalogue-identity", "the catalogue identity opens catalogues, and no rows")


def _check_identities(host: Host, listed: RecipientList) -> Iterator[Finding]:
    for path in host.identities:
        file = read_identity_file(KeyUse.IDENTITY, path)
        entry = _entry_of(file.recipients, listed)
        if file.problem is not None:
            yield problem("identity-unusable", file.problem, "dbops keys list")
        elif entry is None or not entry.role.opens_backups:
            yield warning(
                "identity-not-listed",
                f"identity {path} opens no backup made from now on",
                "keep it while dbops keys report says so, then take it out of dbops.toml",
            )
        elif entry.role in KEPT_OFFLINE:
            yield _move_offline(path, entry)
        else:
            yield ok("identity-listed", f"identity {path} is {entry.role.value} ({entry.name})")
    if host.identities:
        yield ok("writes-and-reads", "this host writes and verifies: its keys open backups")
    else:
        yield ok("writes-only", "this host writes backups and cannot open them")


def _check_runner(host: Host, listed: RecipientList) -> Iterator[Finding]:
    """What opens the rows of repairs on this host opens nothing else."""
    if host.runner_identity is None:
        return
    file = read_identity_file(KeyUse.RUNNER, host.runner_identity)
    entry = _entry_of(file.recipients, listed)
    if file.problem is not None:
        yield problem("runner-identity", file.problem, "dbops keys new runner --out FILE")
    elif entry is None:
        yield warning(
            "runner-not-listed",
            f"the runner identity {host.runner_identity} is no recipient of today's list:"
            " an undo here will need another identity",
            "have it added: dbops keys recipients sign --help",
        )
    elif entry.role is not Role.RUNNER:
        yield problem(
            "runner-opens-more",
            f"the runner identity is also {entry.role.value} recipient {entry.name}",
            "make another one: dbops keys new runner --out FILE",
        )
    else:
        yield ok("runner-identity", "the runner identity opens rows of repairs, and no backups")


def _check_left_behind(estate: Estate, listed: RecipientList) -> Iterator[Finding]:
    """What `dbops init` made for the hospital should not stay where backups are written."""
    folder = estate.path.parent / HOSPITAL_FOLDER
    try:
        files = sorted(folder.iterdir())
    except OSError:  # not there, or closed to this account: then its keys are out of reach
        return
    named = {path.resolve() for path in estate.host.identities}
    for path in files:
        if path.resolve() in named or not path.is_file():
            continue
        entry = _entry_of(_halves(path), listed)
        if entry is not None and entry.role in KEPT_OFFLINE:
            yield _move_offline(path, entry)
        elif isinstance(_load_key(path), PublicKey):
            yield warning(
                "hospital-key-here",
                f"the hospital's signing key {path} lies on this host:"
                " whoever gets in can change who opens backups",
                "move it offline: onto two media that the hospital keeps",
            )


def _move_offline(path: Path, entry: RecipientEntry) -> Finding:
    return warning(
        f"{entry.role.value}-identity-here",
        f"{path} is the {entry.role.value} identity of {entry.name}:"
        " whoever gets into this host reads every backup",
        "move it offline: onto two media that the hospital keeps",
    )


def _named(entries: Iterable[RecipientEntry]) -> str:
    return ", ".join(f"{entry.role.value} ({entry.name})" for entry in entries)


def _entry_of(recipients: tuple[str, ...], listed: RecipientList) -> RecipientEntry | None:
    return next((e for e in listed.recipients if canonical(e.recipient) in recipients), None)


def _halves(path: Path) -> tuple[str, ...]:
    """The public halves in any file; none where it holds no identity."""
    try:
        found = load_identities(path)
    except DbopsError:
        return ()
    return tuple(half for half in map(public_half, found) if half is not None)
