"""Ends a scratch cluster whose owner is gone, and knows how such a cluster lies on disk.

A scratch directory `dbops-scratch-TOKEN` holds `owner` (who started it), `data`, `socket` and
`server.log`. Restored code runs inside, so nothing below `data` is believed: processes are
found by the random token in their command line, never by a process id that a file there names.

* The watchdog is a child of the owner in a session of its own. It waits for the end of a pipe
  whose other end the owner holds, looks once a second whether the owner still lives (a forked
  worker may hold that end open), then stops the server and removes the directory.
* Where the watchdog was killed too, `sweep_leftovers` does the same from the next command.

The watchdog is run by its file name, isolated and without site-packages, so that it starts in
a few hundredths of a second: this module imports the standard library only.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PREFIX = "dbops-scratch-"
SOCKET_PORT = 5432
_SHORT_PARENT = Path("/tmp")  # noqa: S108 -- short everywhere; the name below is random
_SOCKET_BYTES = 100  # sun_path holds 104 bytes on BSD and macOS, 108 on Linux
_UNOWNED_SECONDS = 600.0
_IMMEDIATE_SECONDS = 7.0  # the postmaster itself kills what does not stop within 5
_KILL_SECONDS = 5.0
_LOOK_SECONDS = 0.02
_WATCH_MILLISECONDS = 1000
_PROC = Path("/proc")
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH")  # what Python itself may need to start


@dataclass(frozen=True, slots=True)
class Owner:
    """One process, told apart from a later one with the same number, and from other hosts'."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    uid: int
    command: str


def owner_file(directory: Path) -> Path:
    """Where a scratch directory says which process it belongs to."""
    return directory / "owner"


def data_directory(directory: Path) -> Path:
    """Where a scratch directory keeps the server's files."""
    return directory / "data"


def socket_directory(directory: Path) -> Path:
    """Where the server's socket is: inside, or where that path is too long, in a short one."""
    inside = directory / "socket"
    if len(os.fsencode(inside / f".s.PGSQL.{SOCKET_PORT}")) <= _SOCKET_BYTES:
        return inside
    return _SHORT_PARENT / directory.name.replace(PREFIX, "dbops-socket-")


def owner_of(pid: int) -> Owner:
    """What names the process `pid` of this host; its start is empty when it does not live."""
    return Owner(
        host=os.uname().nodename,
        boot=_read(_PROC / "sys/kernel/random/boot_id"),
        namespace=_link(_PROC / "self/ns/pid"),
        pid=pid,
        started=_started(pid),
    )


def write_owner(directory: Path, owner: Owner) -> None:
    """Record the owner, durable against nothing but a crash of the process: it is for tonight."""
    text = "\n".join((owner.host, owner.boot, owner.namespace, str(owner.pid), owner.started))
    with owner_file(directory).open("x", encoding="utf-8") as record:
        record.write(text + "\n")


def read_owner(directory: Path) -> Owner | None:
    """The recorded owner, or None where there is no whole record."""
    lines = _read(owner_file(directory)).split("\n")
    if len(lines) != 5 or not lines[3].isdecimal():
        return None
    return Owner(lines[0], lines[1], lines[2], int(lines[3]), lines[4])


def is_gone(owner: Owner) -> bool:
    """Whether that process surely lives no more; False where this host cannot know."""
    here = owner_of(os.getpid())
    if owner.host != here.host or not here.started:
        return False
    if owner.boot != here.boot:
        return True
    if owner.namespace != here.namespace:
        return False
    return _started(owner.pid) != owner.started


def remove_cluster(directory: Path) -> bool:
    """No process of the cluster runs and none of its files is left; False if that failed.

    Takes about a tenth of a second, at most 20 where processes do not listen. The record of
    the owner goes last, so that a crash half-way leaves something that a sweep recognises.
    """
    if not _stop_server(directory):
        return False
    end = time.monotonic() + _KILL_SECONDS
    while True:
        for place in (data_directory(directory), socket_directory(directory), directory):
            shutil.rmtree(place, ignore_errors=True)  # follows no link, and looks again below
        if not directory.exists() and not socket_directory(directory).exists():
            return True
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_SECONDS)


def sweep_leftovers(parent: Path, *, now: float | None = None) -> tuple[str, ...]:
    """Every scratch cluster below `parent` whose owner is gone is removed; gives their names.

    Only directories of the calling account are looked at: in a shared one, anybody can make
    something that looks like a leftover. One without a record of its owner must be ten minutes
    old (`now` in seconds since 1970). Raises Failed `scratch-not-removed`, after trying all.
    """
    moment = time.time() if now is None else now
    removed: list[str] = []
    stuck: list[Path] = []
    for directory in sorted(_own_directories(parent.resolve())):
        if not _is_leftover(directory, moment):
            continue
        if remove_cluster(directory):
            removed.append(directory.name)
        else:
            stuck.append(directory)
    if stuck:
        raise _not_removed(stuck)
    return tuple(removed)


def start(directory: Path) -> subprocess.Popen[bytes]:
    """A watchdog guards this scratch directory, whose owner is the calling process.

    To be started before the directory is made: whoever is killed in between leaves nothing. It is
    done as soon as the directory is gone again or its standard input is closed.
    """
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=kept,
        start_new_session=True,  # Ctrl-C reaches the owner only
    )


def foreign_server_runs(uid: int) -> bool:
    """Whether a PostgreSQL server that is no scratch cluster runs under this account.

    It shows by the titles of its background processes, which every running server has.
    """
    return any(
        process.uid == uid
        and process.command.startswith("postgres: ")
        and not process.command.startswith(f"postgres: {PREFIX}")
        for process in _processes()
    )


def _not_removed(stuck: list[Path]) -> Exception:
    # Not at the top: the watchdog runs where the package cannot be imported.
    from dbops.errors import Failed  # noqa: PLC0415

    return Failed(
        "scratch-not-removed",
        f"{len(stuck)} scratch cluster(s) of ended runs could not be removed",
        hint="rm -r " + " ".join(shlex.quote(str(directory)) for directory in stuck),
    )


def _own_directories(parent: Path) -> Iterator[Path]:
    try:
        entries = list(os.scandir(parent))
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(PREFIX) and _is_own_directory(entry):
            yield Path(entry.path)


def _is_own_directory(entry: os.DirEntry[str]) -> bool:
    try:
        own = entry.stat(follow_symlinks=False).st_uid == os.geteuid()
    except OSError:  # its watchdog was faster
        return False
    return own and entry.is_dir(follow_symlinks=False)


def _is_leftover(directory: Path, now: float) -> bool:
    owner = read_owner(directory)
    if owner is not None:
        return is_gone(owner)
    try:
        return now - directory.stat().st_mtime > _UNOWNED_SECONDS
    except OSError:
        return False


def _stop_server(directory: Path) -> bool:
    for process in _roots(directory):
        _send(process.pid, signal.SIGQUIT)  # "immediate": no shutdown checkpoint
    if _wait_until_none(directory, _IMMEDIATE_SECONDS):
        return True
    for process in _processes_of(directory):
        _send(process.pid, signal.SIGKILL)
    return _wait_until_none(directory, _KILL_SECONDS)


def _roots(directory: Path) -> list[_Process]:
    """The postmaster or initdb; after a crash of the postmaster, each of its orphans."""
    processes = list(_processes_of(directory))
    pids = {process.pid for process in processes}
    return [process for process in processes if process.parent not in pids]


def _wait_until_none(directory: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while any(True for _ in _processes_of(directory)):
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _send(pid: int, number: signal.Signals) -> None:
    try:
        if number is signal.SIGKILL and os.getpgid(pid) == pid:
            os.killpg(pid, number)  # with the programs that a backend or initdb has started
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        pass  # it ended by itself meanwhile


def _processes_of(directory: Path) -> Iterator[_Process]:
    """The cluster's living processes: of the data's account, with its random name or path."""
    data = data_directory(directory)
    try:
        uid = data.lstat().st_uid
    except OSError:
        return
    title = f"postgres: {directory.name}:"
    starts = (f"/postgres -D {data} ", f"/initdb -D {data} ")
    for process in _processes():
        named = process.command.startswith(title)
        if process.uid == uid and (named or any(mark in process.command for mark in starts)):
            yield process


def _processes() -> Iterator[_Process]:
    if not (_PROC / "self/stat").exists():
        yield from _processes_by_ps()
        return
    for place in _PROC.iterdir():
        if place.name.isdecimal():
            fields = _read(place / "stat").rpartition(")")[2].split()
            command = _read(place / "cmdline").replace("\0", " ")
            try:
                uid = place.stat().st_uid
            except OSError:
                continue
            if command and fields and fields[0] not in "ZX":
                yield _Process(int(place.name), int(fields[1]), uid, command)


def _processes_by_ps() -> Iterator[_Process]:
    """The same where there is no /proc (macOS, BSD)."""
    for line in _ps("-axww", "-o", "pid=,ppid=,uid=,command=").splitlines():
        fields = line.split(None, 3)
        if len(fields) == 4:
            yield _Process(int(fields[0]), int(fields[1]), int(fields[2]), fields[3] + " ")


def _started(pid: int) -> str:
    """When a process began, in the system's own terms; empty when it is not alive."""
    if not (_PROC / "self/stat").exists():
        return _ps("-o", "lstart=", "-p", str(pid)).strip()
    fields = _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()  # proc(5): 3rd and on
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else ""


def _ps(*arguments: str) -> str:
    try:
        command = ["ps", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace").removesuffix("\n")
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _wait_for_end(directory: Path) -> None:
    """The owner has let go of the pipe or is gone, or the directory was there and is no more."""
    pipe = select.poll()
    pipe.register(sys.stdin.fileno(), select.POLLIN)
    seen = False
    while not pipe.poll(_WATCH_MILLISECONDS):
        there = directory.exists()
        owner = read_owner(directory) if there else None
        if (seen and not there) or (owner is not None and is_gone(owner)):
            return
        seen = seen or there


def main(directory: Path) -> int:
    """The owner has ended or is done, and its cluster is removed: 0, or 1 if that failed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    _wait_for_end(directory)
    return 0 if remove_cluster(directory) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
