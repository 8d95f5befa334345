"""What a host remembers: locks that die with their holder, heads that never go back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dbops.backup.host_state import HostState
from dbops.errors import ExitStatus, Failed, Unreachable
from dbops.repository.chain import Head

HOLD = """
import sys, pathlib
from dbops.backup.host_state import HostState
with HostState(pathlib.Path(sys.argv[1])).lock("lab"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_held_by_another_process_is_named(tmp_path: Path) -> None:
    """A second run on the database is turned away, and let in once the first one was killed."""
    state = HostState(tmp_path / "state")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "state"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Unreachable) as caught, state.lock("lab"):
            pass
        with state.lock("blood-bank"):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    assert caught.value.message == "another run is working on lab"
    assert caught.value.status is ExitStatus.UNREACHABLE
    with state.lock("lab"):
        pass


def test_a_head_is_remembered(tmp_path: Path) -> None:
    """Another process of the host sees it; another repository's or database's it is not."""
    HostState(tmp_path).remember("r1", "lab", Head(3, "ab" * 32))
    state = HostState(tmp_path)
    assert state.head("r1", "lab") == Head(3, "ab" * 32)
    assert state.head("r2", "lab") is None
    assert state.head("r1", "blood-bank") is None


def test_a_head_never_goes_back(tmp_path: Path) -> None:
    """What was seen stays seen, whatever the repository shows now."""
    state = HostState(tmp_path)
    state.remember("r1", "lab", Head(3, "ab" * 32))
    state.remember("r1", "lab", Head(2, "cd" * 32))
    state.remember("r1", "lab", Head(3, "ef" * 32))
    assert state.head("r1", "lab") == Head(3, "ab" * 32)
    state.remember("r1", "lab", Head(4, "01" * 32))
    assert state.head("r1", "lab") == Head(4, "01" * 32)


@pytest.mark.parametrize("content", ["", "[]", "{}", "3", '{"sequence": "x", "sha256": ""}', "\0"])
def test_a_damaged_memory_is_not_taken_for_none(tmp_path: Path, content: str) -> None:
    """A head that cannot be read stops the command: with no head a rollback would not show."""
    state = HostState(tmp_path)
    state.remember("r1", "lab", Head(3, "ab" * 32))
    path = tmp_path / "heads" / "r1" / "lab"
    path.write_text(content)
    with pytest.raises(Failed) as caught:
        state.head("r1", "lab")
    assert caught.value.code == "state-damaged"
    assert caught.value.message == "what this host remembers of lab cannot be read"
    assert caught.value.hint == f"check the repository with another host, then remove {path}"


def test_a_state_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The message says where, the hint what to do."""
    (tmp_path / "file").write_text("")
    state = HostState(tmp_path / "file" / "state")
    with pytest.raises(Unreachable) as caught:
        state.remember("r1", "lab", Head(3, "ab" * 32))
    assert caught.value.message == (f"the state directory {tmp_path}/file/state cannot be written")
    assert caught.value.hint == "set estate.state in dbops.toml to a directory of this account"


def test_a_lock_or_head_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Something else in the way of a lock or of a head ends in the same words."""
    (tmp_path / "lock" / "lab").mkdir(parents=True)
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "r1").write_text("")
    state = HostState(tmp_path)
    with pytest.raises(Unreachable) as lock, state.lock("lab"):
        pass
    with pytest.raises((Unreachable, Failed)) as head:
        state.remember("r1", "lab", Head(3, "ab" * 32))
    assert lock.value.code == "state-unusable"
    assert head.value.code in {"state-unusable", "state-damaged"}


def test_a_full_disk_under_the_state_is_named(tmp_path: Path) -> None:
    """A head that could not be written is an error, and the one before it stays."""
    state = HostState(tmp_path)
    state.remember("r1", "lab", Head(3, "ab" * 32))
    (tmp_path / "heads" / "r1" / f".lab.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(Unreachable) as caught:
        state.remember("r1", "lab", Head(4, "cd" * 32))
    assert caught.value.code == "state-unusable"
    assert state.head("r1", "lab") == Head(3, "ab" * 32)


def test_only_this_account_can_look_inside(tmp_path: Path) -> None:
    """Scratch holds restored rows: every directory is 0700."""
    place = HostState(tmp_path / "state").scratch()
    for directory in (place, tmp_path / "state"):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_a_replaced_repository_is_noticed(tmp_path: Path) -> None:
    """Another repository under a known title is damage, until a person removes what is known."""
    state = HostState(tmp_path)
    assert state.check_repository("repository main", "a" * 32) == ()
    state.remember_repository("repository main", "a" * 32)
    state.remember_repository("repository main", "b" * 32)
    assert state.check_repository("repository main", "a" * 32) == ()
    (damage,) = state.check_repository("repository main", "b" * 32)
    known = tmp_path / "repositories" / "repository-main"
    assert str(damage) == (
        f"repository main: it was replaced: this host knew {'a' * 32};"
        f" if you did it, remove {known}"
    )
    known.unlink()
    assert state.check_repository("repository main", "b" * 32) == ()
