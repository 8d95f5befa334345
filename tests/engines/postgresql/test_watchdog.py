"""Scratch clusters whose owner was killed: the watchdog, and the sweep of the next command."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dbops.engines.postgresql import watchdog
from dbops.engines.postgresql.binaries import Installation
from dbops.engines.postgresql.watchdog import sweep_leftovers
from tests.engines.postgresql.processes import commands, mentioning, until
from tests.fix_tools import require_root

OWNER = """
import json, sys
from pathlib import Path
from dbops.engines.postgresql.binaries import Installation
from dbops.engines.postgresql.cluster import scratch_cluster
bindir, major, version, parent = sys.argv[1:]
with scratch_cluster(Installation(Path(bindir), int(major), version), Path(parent)) as cluster:
    print(json.dumps([str(cluster.directory), cluster.process.pid]), flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Owned:
    """A process that owns a running scratch cluster, and what belongs to the cluster."""

    owner: subprocess.Popen[str]
    directory: Path
    postmaster: int

    def watchdog(self) -> int:
        """The process id of the cluster's watchdog."""
        (pid,) = (p for p, text in commands().items() if text.endswith(f".py {self.directory} "))
        return pid

    def is_gone(self) -> bool:
        """Whether neither a process nor a file of the cluster is left."""
        return not self.directory.exists() and not mentioning(self.directory.name)


@pytest.fixture
def owned(pg_newest: Installation, scratch_parent: Path) -> Iterator[Owned]:
    """A running scratch cluster that another process owns."""
    with owner_of_cluster(pg_newest, scratch_parent) as process:
        assert process.stdout is not None
        directory, postmaster = json.loads(process.stdout.readline())
        cluster = Owned(process, Path(directory), postmaster)
        yield cluster
        process.kill()
        assert until(cluster.is_gone)


@contextmanager
def owner_of_cluster(installation: Installation, parent: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that makes a scratch cluster and keeps it until its standard input ends."""
    told = [str(installation.bindir), str(installation.major), installation.version, str(parent)]
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, *told],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def test_a_killed_owner_leaves_nothing(owned: Owned) -> None:
    """After SIGKILL of the owner the watchdog stops the server and removes its directory."""
    assert not owned.is_gone()
    owned.owner.kill()
    assert until(owned.is_gone)


def test_a_watchdog_outlives_ctrl_c_and_hangup(owned: Owned) -> None:
    """The watchdog has a session of its own and does not listen to a terminal's signals."""
    guard = owned.watchdog()
    assert os.getsid(guard) == guard
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.kill(guard, number)
    owned.owner.kill()
    assert until(owned.is_gone)


def test_a_killed_owner_and_watchdog_are_swept_up(
    owned: Owned, scratch_parent: Path, tmp_path: Path
) -> None:
    """Where both were killed the server runs on, until the next command sweeps it away.

    Also when that command knows the place by another name.
    """
    (tmp_path / "link").symlink_to(scratch_parent)
    os.kill(owned.watchdog(), signal.SIGKILL)
    owned.owner.kill()
    owned.owner.wait()
    assert owned.postmaster in mentioning(owned.directory.name)
    assert sweep_leftovers(tmp_path / "link") == (owned.directory.name,)
    assert owned.is_gone()
    assert sweep_leftovers(scratch_parent) == ()


def test_orphans_of_a_killed_postmaster_are_swept_up(owned: Owned, scratch_parent: Path) -> None:
    """A server whose postmaster was killed as well is swept up with its files."""
    os.kill(owned.watchdog(), signal.SIGKILL)
    owned.owner.kill()
    os.kill(owned.postmaster, signal.SIGKILL)
    owned.owner.wait()
    assert sweep_leftovers(scratch_parent) == (owned.directory.name,)
    assert owned.is_gone()


def test_a_living_owner_is_not_swept(owned: Owned, scratch_parent: Path) -> None:
    """A cluster in use is left alone, even when its watchdog was killed."""
    assert sweep_leftovers(scratch_parent) == ()
    os.kill(owned.watchdog(), signal.SIGKILL)
    assert sweep_leftovers(scratch_parent) == ()
    assert owned.postmaster in mentioning(owned.directory.name)
    assert owned.owner.stdin is not None
    owned.owner.stdin.close()
    assert owned.owner.wait() == 0
    assert owned.is_gone()


def test_the_watchdog_does_not_hold_the_owners_output(owned: Owned) -> None:
    """Who reads the owner's output sees its end though a frozen watchdog lives on."""
    guard = owned.watchdog()
    os.kill(guard, signal.SIGSTOP)
    owned.owner.kill()
    assert owned.owner.stdout is not None
    assert owned.owner.stdout.read() == ""
    assert guard in commands()
    os.kill(guard, signal.SIGCONT)
    assert until(owned.is_gone)


@pytest.mark.parametrize("seconds", [0.12, 0.25, 0.4, 0.6])
def test_an_owner_killed_while_starting_leaves_nothing(
    pg_installation: Installation, scratch_parent: Path, seconds: float
) -> None:
    """Whenever the kill falls, before, in or after initdb, directory and processes go."""
    with owner_of_cluster(pg_installation, scratch_parent) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
    assert until(lambda: not list(scratch_parent.iterdir()))
    assert until(lambda: not mentioning(str(scratch_parent)))


def test_the_watchdog_loads_nothing_heavy() -> None:
    """Without site-packages it starts on the standard library alone, in a moment."""
    program = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sys.modules)"
    began = time.monotonic()
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, watchdog.__file__],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert time.monotonic() - began < 2
    rooms = {name.partition(".")[0] for name in loaded}
    assert rooms <= set(sys.stdlib_module_names) | {"__main__"}
    assert not rooms & {"asyncio", "email", "http", "logging", "ssl"}


def leftover(parent: Path, owner: watchdog.Owner | None) -> Path:
    """A scratch directory without a server, with this record of its owner."""
    directory = parent / f"{watchdog.PREFIX}{secrets.token_hex(6)}"
    (directory / "data").mkdir(parents=True)
    if owner is not None:
        watchdog.write_owner(directory, owner)
    return directory


def test_who_is_gone_is_judged_by_more_than_a_number(scratch_parent: Path) -> None:
    """A reused process id and a reboot are seen; other hosts' and containers' are not judged."""
    own = watchdog.owner_of(os.getpid())
    assert not watchdog.is_gone(own)
    assert watchdog.is_gone(replace(own, started="1"))
    assert watchdog.is_gone(replace(own, boot="another"))
    assert not watchdog.is_gone(replace(own, host="another", started="1"))
    assert not watchdog.is_gone(replace(own, namespace="another", started="1"))


def test_a_zombie_is_gone() -> None:
    """A killed owner that nobody has waited for yet does not keep its cluster."""
    with subprocess.Popen(["sleep", "60"]) as process:
        owner = watchdog.owner_of(process.pid)
        assert not watchdog.is_gone(owner)
        process.kill()
        assert until(lambda: watchdog.is_gone(owner))


def test_a_record_reads_back_as_written(scratch_parent: Path) -> None:
    """The owner's record survives the way through its file; a torn one is no record."""
    own = watchdog.owner_of(os.getpid())
    directory = leftover(scratch_parent, own)
    assert watchdog.read_owner(directory) == own
    whole = watchdog.owner_file(directory).read_bytes()
    watchdog.owner_file(directory).write_bytes(whole[: len(whole) // 2])
    assert watchdog.read_owner(directory) is None
    shutil.rmtree(directory)


def test_a_directory_without_owner_is_swept_when_it_is_old(scratch_parent: Path) -> None:
    """Between mkdir and the record there is a moment; after ten minutes it is a leftover."""
    directory = leftover(scratch_parent, None)
    assert sweep_leftovers(scratch_parent) == ()
    assert sweep_leftovers(scratch_parent, now=time.time() + 601) == (directory.name,)


def test_only_scratch_directories_are_swept(scratch_parent: Path) -> None:
    """Other names, files and links stay, also links that bear a scratch name."""
    gone = replace(watchdog.owner_of(os.getpid()), started="1")
    other = leftover(scratch_parent, gone).rename(scratch_parent / "kept")
    (scratch_parent / f"{watchdog.PREFIX}link").symlink_to(other)
    (scratch_parent / f"{watchdog.PREFIX}file").write_text("")
    assert sweep_leftovers(scratch_parent, now=time.time() + 3600) == ()
    assert len(list(scratch_parent.iterdir())) == 3
    for place in scratch_parent.glob(f"{watchdog.PREFIX}*"):
        place.unlink()
    shutil.rmtree(other)


def test_another_accounts_directory_is_not_swept(scratch_parent: Path) -> None:
    """In a shared directory, what somebody else made to look like a leftover is left alone."""
    require_root("another account")
    directory = leftover(scratch_parent, replace(watchdog.owner_of(os.getpid()), started="1"))
    os.chown(directory, 65534, 65534)
    assert sweep_leftovers(scratch_parent) == ()
    shutil.rmtree(directory)


def test_a_parent_that_does_not_exist_has_no_leftovers(scratch_parent: Path) -> None:
    """Nothing to sweep is no failure: most runs never had a scratch directory there."""
    assert sweep_leftovers(scratch_parent / "missing") == ()


def test_processes_are_told_alike_without_proc(owned: Owned) -> None:
    """Where there is no /proc, `ps` names the same processes of the cluster."""
    by_proc = {p.pid for p in watchdog._processes() if owned.directory.name in p.command}
    by_ps = {p.pid for p in watchdog._processes_by_ps() if owned.directory.name in p.command}
    assert owned.postmaster in by_ps
    assert by_ps == by_proc
