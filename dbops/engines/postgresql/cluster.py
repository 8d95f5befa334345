"""Ephemeral PostgreSQL clusters: made from local binaries, reachable by one socket, then gone.

A backup is proven by restoring it, and restoring runs the source's code: an index expression
can call a shell. So a cluster lives in this cage:

* no network: it listens on a socket only, in a directory of mode 0700 that also guards its
  `trust` authentication; no subscription worker starts;
* where dbops runs as root, another account runs it, with no group but its own, which can read
  no key and no repository (those are 0600 and 0700 of root), and writes below `data` and
  `socket` only; settings come by command line, so nothing the server writes changes them;
* its environment is PATH, LANG and TZ; it keeps no statement and no row in its log, no core;
* it ends with its owner: by the context manager, by the watchdog when the owner is killed, by
  `watchdog.sweep_leftovers` when both are.

It trades durability for speed (`SCRATCH_SETTINGS`): a crash of any backend ends the cluster.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from dbops.engines.postgresql import watchdog
from dbops.engines.postgresql.account import Account, account_to_run, can_run, spawn, succeeds
from dbops.engines.postgresql.binaries import Installation
from dbops.errors import Failed

SUPERUSER = "postgres"
LOCAL_TRUST = ("local all all trust",)
"""The only line of pg_hba.conf: whoever may enter the socket's directory may connect."""

SCRATCH_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        # Nothing here outlives the process, so nothing needs to survive a crash.
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "wal_level": "minimal",  # COPY into a table of the same transaction writes no WAL
        "max_wal_senders": "0",
        "autovacuum": "off",
        "restart_after_crash": "off",
        # One DROP or one restore may hold a lock on every table or large object.
        "max_locks_per_transaction": "4096",
        "max_connections": "40",
        "shared_buffers": "128MB",
        "dynamic_shared_memory_type": "mmap",  # a killed server leaves nothing in /dev/shm
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        # No statement, no value of a row in the log.
        "log_statement": "none",
        "log_min_messages": "fatal",
        "log_min_error_statement": "panic",
        "log_min_duration_statement": "-1",
        "log_error_verbosity": "terse",
        "logging_collector": "off",
        # The restored database's replication must not start here.
        "max_logical_replication_workers": "0",
        "max_replication_slots": "0",
        "listen_addresses": "",
    }
)

_START_SECONDS = 60.0
_LOOK_SECONDS = 0.01
_RELEASE_SECONDS = 5.0
_READY_LINE = 7  # of postmaster.pid; src/include/utils/pidfile.h, LOCK_FILE_LINE_PM_STATUS
_WITHOUT_CORE = ("/bin/sh", "-c", 'ulimit -c 0; exec "$@"', "sh")
_REASON = re.compile(r"(?:FATAL|PANIC|error): +(.*)")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server of one's own: where its socket is, and how to end it."""

    installation: Installation
    directory: Path
    socket_directory: Path
    port: int
    process: subprocess.Popen[bytes]

    def conninfo(self, dbname: str) -> dict[str, str]:
        """What libpq needs to connect as the superuser; no password is asked on the socket."""
        return {
            "host": str(self.socket_directory),
            "port": str(self.port),
            "user": SUPERUSER,
            "dbname": dbname,
        }

    def stop(self) -> None:
        """The server has ended and its directory is removed; a second call does nothing.

        Takes about a tenth of a second. Raises Failed `scratch-not-removed`.
        """
        _remove(self.directory)
        self.process.wait()


@contextmanager
def scratch_cluster(
    installation: Installation,
    parent: Path | None = None,
    *,
    settings: Mapping[str, str] = MappingProxyType({}),
    account: str | None = None,
) -> Iterator[Cluster]:
    """A fresh cluster runs for the length of the `with`, and nothing of it is left after.

    It is made below `parent` (by default the system's temporary directory), which must have
    room for the restored databases. `settings` go before `SCRATCH_SETTINGS`. As root it runs
    under `account`, or under one that `account_to_run` finds. Ready after about a second.
    Raises Failed when it cannot be made, started or removed.
    """
    chosen = {**SCRATCH_SETTINGS, **settings}
    with running_cluster(installation, parent, settings=chosen, account=account) as cluster:
        yield cluster


@contextmanager
def running_cluster(
    installation: Installation,
    parent: Path | None,
    *,
    settings: Mapping[str, str],
    account: str | None = None,
    access: Sequence[str] = LOCAL_TRUST,
) -> Iterator[Cluster]:
    """Like `scratch_cluster`, with exactly these settings and these lines of pg_hba.conf."""
    other = account_to_run(account)
    with _guarded_directory(parent or Path(tempfile.gettempdir())) as directory:
        cluster = start_cluster(
            directory, installation, settings=settings, account=other, access=access
        )
        try:
            yield cluster
        finally:
            cluster.stop()


def start_cluster(
    directory: Path,
    installation: Installation,
    *,
    settings: Mapping[str, str],
    account: Account | None,
    access: Sequence[str] = LOCAL_TRUST,
) -> Cluster:
    """A new cluster in this empty directory accepts connections as superuser `postgres`.

    The directory is absolute, without links, and its name is the cluster's: see `watchdog`.
    The encoding is UTF8, the locale C; databases restored into it bring their own. After a
    failure no process is left, and the files stay for the caller to remove.
    Raises Failed `scratch-not-started` with the server's reason, which holds no data.
    """
    try:
        _lay_out(directory, account, access)
        _check_reach(directory, installation, account)
        _initialise(directory, installation, account)
        command = [*_WITHOUT_CORE, *_server_command(directory, installation, settings)]
        process = _spawn(command, directory, account)
    except OSError as fault:
        raise _not_made(directory, fault) from None
    try:
        _wait_until_ready(directory, installation, process)
    except BaseException:
        _kill(process)
        raise
    port = int(settings.get("port", str(watchdog.SOCKET_PORT)))
    sockets = watchdog.socket_directory(directory)
    return Cluster(installation, directory, sockets, port, process)


@contextmanager
def _guarded_directory(parent: Path) -> Iterator[Path]:
    """A new scratch directory with its watchdog; afterwards both are gone."""
    directory = parent.resolve() / f"{watchdog.PREFIX}{secrets.token_hex(6)}"
    try:
        guard = watchdog.start(directory)
    except OSError as fault:
        raise _not_made(directory, fault) from None
    try:
        directory.mkdir(mode=0o700)
        watchdog.write_owner(directory, watchdog.owner_of(os.getpid()))
    except OSError as fault:
        watchdog.remove_cluster(directory)
        _release(guard)
        raise _not_made(directory, fault) from None
    try:
        yield directory
    finally:
        try:
            _remove(directory)
        finally:
            _release(guard)


def _remove(directory: Path) -> None:
    if not watchdog.remove_cluster(directory):
        raise Failed(
            "scratch-not-removed",
            f"scratch cluster {directory.name} could not be removed",
            hint=f"rm -r {shlex.quote(str(directory))}",
        )


def _release(guard: subprocess.Popen[bytes]) -> None:
    if guard.stdin is not None:
        guard.stdin.close()
    try:
        guard.wait(_RELEASE_SECONDS)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()


def _lay_out(directory: Path, account: Account | None, access: Sequence[str]) -> None:
    """The server may write `data` and `socket`; all else in the directory stays dbops' own."""
    rules = _rules_file(directory)
    rules.write_text("".join(f"{line}\n" for line in access), encoding="utf-8")
    places = (watchdog.data_directory(directory), watchdog.socket_directory(directory))
    for place in places:
        place.mkdir(mode=0o700)
    if account is None:
        return
    for place in places:
        os.chown(place, account.uid, account.gid)
    for own, mode in ((directory, 0o710), (rules, 0o640)):
        os.chown(own, -1, account.gid)
        own.chmod(mode)


def _check_reach(directory: Path, installation: Installation, account: Account | None) -> None:
    if not can_run(installation, account):
        raise Failed(
            "server-out-of-reach",
            f"{_who(account)} cannot run {installation.tool('postgres')}",
            hint=f"install postgresql-{installation.major} where every account can read it",
        )
    if not succeeds(["test", "-w", str(watchdog.data_directory(directory))], account):
        raise Failed(
            "scratch-out-of-reach",
            f"{_who(account)} cannot enter {directory.parent}",
            hint="name a scratch directory whose parents every account may enter: /var/tmp",
        )


def _initialise(directory: Path, installation: Installation, account: Account | None) -> None:
    command = [str(installation.tool("initdb")), "-D", str(watchdog.data_directory(directory))]
    command += ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    if installation.major >= 15:  # where the provider can be chosen, it is the one all have
        command.append("--locale-provider=libc")
    process = _spawn(command, directory, account)
    try:
        status = process.wait(_START_SECONDS)
    except subprocess.TimeoutExpired:
        _kill(process)
        raise _not_started(directory, installation) from None
    except BaseException:
        _kill(process)
        raise
    if status != 0:
        raise _not_started(directory, installation)


def _server_command(
    directory: Path, installation: Installation, settings: Mapping[str, str]
) -> list[str]:
    place = str(watchdog.socket_directory(directory)).replace('"', '""')
    forced = {
        "unix_socket_directories": f'"{place}"',
        "hba_file": str(_rules_file(directory)),
        "cluster_name": directory.name,  # in every process title: the watchdog looks for it
    }
    command = [str(installation.tool("postgres")), "-D", str(watchdog.data_directory(directory))]
    for name, value in {**settings, **forced}.items():
        command += ["-c", f"{name}={value}"]
    return command


def _wait_until_ready(
    directory: Path, installation: Installation, process: subprocess.Popen[bytes]
) -> None:
    """The postmaster has said in its own file, as `pg_ctl -w` reads it, that it is ready."""
    status_file = watchdog.data_directory(directory) / "postmaster.pid"
    end = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError):
            lines = status_file.read_text(encoding="utf-8", errors="replace").splitlines()
            if len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready":
                return
        time.sleep(_LOOK_SECONDS)
    raise _not_started(directory, installation)


def _spawn(
    command: Sequence[str], directory: Path, account: Account | None
) -> subprocess.Popen[bytes]:
    with _log_file(directory).open("ab") as log:
        return spawn(command, account, cwd=watchdog.data_directory(directory), output=log)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _not_made(directory: Path, fault: OSError) -> Failed:
    parent = directory.parent
    reason = os.strerror(fault.errno).lower() if fault.errno else "unknown reason"
    return Failed(
        "scratch-not-made",
        f"no scratch cluster can be made in {parent}: {reason}",
        hint=f"df -h {shlex.quote(str(parent))}",
    )


def _not_started(directory: Path, installation: Installation) -> Failed:
    try:
        said = _log_file(directory).read_text(encoding="utf-8", errors="replace")
    except OSError:
        said = ""
    reasons = _REASON.findall(said) or [f"not ready within {_START_SECONDS:.0f} seconds"]
    return Failed(
        "scratch-not-started",
        f"PostgreSQL {installation.major} scratch server did not start: {reasons[0]}",
        hint="dbops doctor",
    )


def _who(account: Account | None) -> str:
    return f"account {account.name}" if account else "this account"


def _rules_file(directory: Path) -> Path:
    return directory / "pg_hba.conf"


def _log_file(directory: Path) -> Path:
    return directory / "server.log"
