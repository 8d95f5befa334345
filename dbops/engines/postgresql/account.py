"""The account under which a scratch server runs, and programs run as that account.

PostgreSQL refuses to run as root, and restored code must not run as root either. The account
owns nothing but the cluster: it can read no key and no repository, and no other PostgreSQL
server may run under it, because a server commonly lets its own account in as superuser.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dbops.engines.postgresql.binaries import Installation
from dbops.engines.postgresql.watchdog import foreign_server_runs
from dbops.errors import NotFound, Refused

SCRATCH_ACCOUNTS = ("dbops-scratch", "postgres", "nobody")
"""Who runs a cluster where dbops runs as root and no account is named: the first that fits."""

_ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Account:
    """Another account than dbops' own, under which a cluster runs."""

    name: str
    uid: int
    gid: int


def account_to_run(name: str | None) -> Account | None:
    """The account for a cluster's server; None where dbops is not root and runs it itself.

    Without a name, the first of `SCRATCH_ACCOUNTS` that exists and under which no other
    PostgreSQL server runs: a server trusts its own account, and restored code must not get
    into it. Raises NotFound or Refused, with the command that makes an account.
    """
    if os.geteuid() != 0:
        if name not in (None, pwd.getpwuid(os.geteuid()).pw_name):
            raise Refused(
                "account-needs-root",
                f"only root can run a scratch server as account {name}",
                hint="run dbops as root, or leave the account out",
            )
        return None
    for candidate in (name,) if name else SCRATCH_ACCOUNTS:
        account = _account(candidate)
        if account and (name or not foreign_server_runs(account.uid)):
            return account
    raise NotFound(
        "account-missing",
        f"no account {name or 'fit'} to run a scratch server",
        hint=f"useradd --system {name or SCRATCH_ACCOUNTS[0]}",
    )


def can_run(installation: Installation, account: Account | None) -> bool:
    """Whether that account may read and run this installation's server."""
    return succeeds([str(installation.tool("postgres")), "--version"], account)


def spawn(
    command: Sequence[str], account: Account | None, *, cwd: Path, output: IO[bytes]
) -> subprocess.Popen[bytes]:
    """This program runs as that account, in a session of its own, with nothing inherited.

    Its environment is PATH, LANG and TZ, its supplementary groups are none, and what it writes
    is for its account only. `output` receives both its streams.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=cwd,
        env=_environment(),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077,
        start_new_session=True,
    )


def succeeds(command: Sequence[str], account: Account | None) -> bool:
    """Whether this program, run as that account, ends with status 0 within a minute."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            cwd="/",
            capture_output=True,
            env=_environment(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _account(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        raise Refused(
            "account-is-root",
            f"account {name} is root, which must not run restored code",
            hint=f"useradd --system {SCRATCH_ACCOUNTS[0]}",
        )
    return Account(name, entry.pw_uid, entry.pw_gid)


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LANG": "C", "TZ": "UTC"}
