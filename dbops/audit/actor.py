"""Who runs this process, as the kernel knows it, and whether a process that was written down runs.

Linux tells all of it in `/proc`. The numbers of a process hold within one start of the machine
and one process namespace: a ledger is not shared between containers.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dbops.audit.entry import Actor

NAME_MOST: Final = 64  # characters of an account's name that an entry holds

_PROC: Final = Path("/proc")
_NO_LOGIN: Final = 0xFFFFFFFF  # what the kernel says of services
_NOT_NAME: Final = re.compile(r"[^\w.@+/$-]")
_STATE, _STARTED = 0, 19  # fields of `stat` behind the command's name; proc(5) counts from 3
_GONE: Final = frozenset({b"Z", b"X"})


def observe_actor(environ: Mapping[str, str]) -> Actor:
    """Return who runs this process.

    `environ` is asked for SUDO_USER only, which is a claim; the login is the kernel's. Characters
    that account names do not have become `?`, and the backslash of a domain `/`.
    """
    login = _login_uid()
    sudo = environ.get("SUDO_USER")
    return Actor(
        account=_account(os.geteuid()),
        uid=os.geteuid(),
        login=None if login is None else _account(login),
        login_uid=login,
        sudo=_plain(sudo) if sudo else None,
        pid=os.getpid(),
        started=_started(os.getpid()) or 0,
    )


def boot_id() -> str:
    """Return the kernel's id of this start of the machine; `unknown` where it tells none."""
    try:
        return _plain((_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip())
    except (OSError, UnicodeError):
        return "unknown"


def still_runs(pid: int, started: int) -> bool:
    """Whether the process that had this number and started then (clock ticks) still runs."""
    return _started(pid) == started


def _started(pid: int) -> int | None:
    """Clock ticks between the machine's start and the process's; None where it has ended."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].split()
    return None if fields[_STATE] in _GONE else int(fields[_STARTED])


def _login_uid() -> int | None:
    try:
        uid = int((_PROC / "self/loginuid").read_text("ascii"))
    except (OSError, ValueError):
        return None  # a kernel without audit
    return None if uid == _NO_LOGIN else uid


def _account(uid: int) -> str:
    try:
        return _plain(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)


def _plain(text: str) -> str:
    return _NOT_NAME.sub("?", text.replace("\\", "/"))[:NAME_MOST]
