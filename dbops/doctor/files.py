"""Files and directories: who can change what dbops runs by, and who can read its secrets."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dbops.doctor.finding import Finding, ok, problem, warning
from dbops.estate.values import (
    Address,
    Estate,
    PostgresqlAddress,
    Secret,
    SecretCommand,
    SecretEnv,
    SecretFile,
)


def check_estate_files(estate: Estate) -> Iterator[Finding]:
    """The estate file, the trust root and the recipients document: only their owner changes them.

    Whoever can write one of them decides which database is read, or who can open backups.
    """
    yield from check_unchangeable(estate.path, "the estate file")
    for name in ("allowed_signers", "revoked"):
        path = estate.trust / name
        if os.path.lexists(path):
            yield from check_unchangeable(path, f"trust root {name}")
    if os.path.lexists(estate.recipients):
        yield from check_unchangeable(estate.recipients, "the recipients document")


def check_unchangeable(path: Path, title: str) -> Iterator[Finding]:
    """The file and its directory belong to root or this account, and others cannot write them."""
    status = _status(path)
    if status is None:
        yield _unseen(path, title)
        return
    wrong = [
        *_strangers(path, title, status),
        *_strangers(path.parent, f"the directory of {title}", path.parent.stat()),
    ]
    yield from wrong
    if not wrong:
        yield ok("file-protected", f"{title} {path} can be changed by {_name(status.st_uid)} only")


def _strangers(path: Path, title: str, status: os.stat_result) -> Iterator[Finding]:
    if status.st_uid not in {0, os.geteuid()}:
        yield problem(
            "file-owner",
            f"{title} {path} belongs to {_name(status.st_uid)}, who can change it",
            f"chown {_name(os.geteuid())} {path}",
        )
    # In a sticky directory such as /tmp nobody can replace what belongs to others.
    sticky = stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)
    if status.st_mode & 0o022 and not sticky:
        mode = stat.S_IMODE(status.st_mode)
        yield problem(
            "file-writable",
            f"{title} {path} can be changed by other accounts (mode {mode:04o})",
            f"chmod go-w {path}",
        )


def check_private(path: Path, title: str) -> Finding:
    """The file is there, and nobody but this account (and root) can read it."""
    status = _status(path)
    if status is None:
        return _unseen(path, title)
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        return problem("file-kind", f"{title} {path} is not a regular file", f"ls -l {path}")
    if mode & 0o077:
        return problem(
            "file-open",
            f"{title} {path} is open to other accounts (mode {mode:04o})",
            f"chmod 600 {path}",
        )
    if status.st_uid not in {0, os.geteuid()}:
        return warning(
            "file-owner",
            f"{title} {path} belongs to {_name(status.st_uid)}, who can read it",
            f"chown {_name(os.geteuid())} {path}",
        )
    if not os.access(path, os.R_OK):
        return problem(
            "file-unreadable",
            f"{title} {path} cannot be read by {_name(os.geteuid())}",
            f"chown {_name(os.geteuid())} {path}",
        )
    return ok("file-private", f"{title} {path} can be read by {_name(status.st_uid)} only")


def check_key_files(estate: Estate) -> Iterator[Finding]:
    """Every key file that `[host]` names."""
    host = estate.host
    named = (
        (host.signing_key, "signing key"),
        (host.catalogue_identity, "catalogue identity"),
        (host.runner_identity, "runner identity"),
        (host.verifier_key, "verifier key"),
    )
    for path, title in named:
        if path is not None:
            yield check_private(path, title)
    for path in host.identities:
        yield check_private(path, "identity")


def check_state(directory: Path) -> Iterator[Finding]:
    """The state directory is this account's alone, or can be made."""
    status = _status(directory)
    if status is None:
        above = next(place for place in directory.parents if os.path.exists(place))  # noqa: PTH110 - never raises
        if os.access(above, os.W_OK | os.X_OK):
            yield ok("state-absent", f"state directory {directory} is made when it is needed")
        else:
            yield problem(
                "state-unusable",
                f"state directory {directory} is missing and cannot be made in {above}",
                "set estate.state in dbops.toml to a directory of this account",
            )
    elif not stat.S_ISDIR(status.st_mode) or not os.access(directory, os.W_OK | os.X_OK):
        yield problem(
            "state-unusable",
            f"state directory {directory} cannot be written by {_name(os.geteuid())}",
            "set estate.state in dbops.toml to a directory of this account",
        )
    elif status.st_mode & 0o066:  # entering alone does no harm: a scratch server's account may
        mode = stat.S_IMODE(status.st_mode)
        yield problem(
            "state-open",
            f"state directory {directory} is open to other accounts (mode {mode:04o});"
            " restored rows lie in it for a while",
            f"chmod 700 {directory}",
        )
    else:
        yield ok("state-private", f"state directory {directory} is this account's alone")


def check_credentials(
    addresses: Iterable[Address], environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Who can read the passwords of these databases."""
    for address in addresses:
        if isinstance(address, PostgresqlAddress):
            for title, password in address.passwords.items():
                yield check_credential(password, f"{title} of {address.name}", environ)


def check_credential(secret: Secret, title: str, environ: Mapping[str, str]) -> Finding:
    """Who can read one password; the secret itself is not looked at."""
    match secret:
        case SecretFile(path):
            return check_private(path, title)
        case SecretEnv(name):
            if name in environ:
                return ok(
                    "credential-environment",
                    f"{title} stands in variable {name}: readable for this account's processes",
                )
            return problem(
                "secret-missing",
                f"{title}: environment variable {name} is not set",
                f"set {name}, or name a file in dbops.toml",
            )
        case SecretCommand():
            return _check_program(secret, title)


def _check_program(secret: SecretCommand, title: str) -> Finding:
    program = Path(secret.argv[0])
    if not program.is_absolute():
        return ok("credential-command", f"{title} comes from {program.name}, found on PATH")
    status = _status(program)
    if status is None:
        return _unseen(program, f"{title}: the program")
    wrong = next(_strangers(program, f"{title}: the program", status), None)
    return wrong or ok("credential-command", f"{title} comes from {program}")


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _unseen(path: Path, title: str) -> Finding:
    return problem(
        "file-missing", f"{title} {path} is not there or cannot be seen", f"ls -l {path}"
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
