"""Who runs this process, and whether another one still runs."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from dbops.audit.actor import boot_id, observe_actor, still_runs
from dbops.audit.entry import Actor
from tests.fix_tools import require_root

ROOT = Path(__file__).parents[2]


def test_the_actor_is_this_process() -> None:
    """Account, process and start are the kernel's; sudo is what the environment claims."""
    actor = observe_actor({"SUDO_USER": "zhang", "USER": "nobody"})
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert actor == Actor(
        account=pwd.getpwuid(os.geteuid()).pw_name,
        uid=os.geteuid(),
        login=actor.login,
        login_uid=actor.login_uid,
        sudo="zhang",
        pid=os.getpid(),
        started=int(stat[19]),
    )
    assert observe_actor({}).sudo is None


def test_the_login_is_the_kernels() -> None:
    """Where it knows none, as for services, nothing is claimed."""
    told = int(Path("/proc/self/loginuid").read_text())
    actor = observe_actor({})
    assert actor.login_uid == (None if told == 0xFFFFFFFF else told)
    assert (actor.login is None) == (actor.login_uid is None)


@pytest.mark.parametrize(
    ("claimed", "recorded"),
    [
        ("HOSP\\zhang.san", "HOSP/zhang.san"),
        ('a"b\nc{d}', "a?b?c?d?"),
        ("张三", "张三"),
        ("x" * 500, "x" * 64),
    ],
)
def test_a_claimed_name_cannot_break_a_line(claimed: str, recorded: str) -> None:
    """The environment is anybody's."""
    assert observe_actor({"SUDO_USER": claimed}).sudo == recorded


def test_an_account_without_a_name_is_its_number() -> None:
    """A container may run under a number that no file names."""
    require_root("changing the account")
    code = (
        "import os; from dbops.audit.actor import observe_actor;"
        "observe_actor({}); os.setuid(54321); print(observe_actor({}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "account='54321', uid=54321" in ran.stdout


def test_this_start_of_the_machine_has_an_id() -> None:
    """The kernel's, as it writes it."""
    assert boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_process_runs_until_it_ends() -> None:
    """A number that another process has since is not the same process, and a zombie is none."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19])
    assert still_runs(child.pid, started)
    assert not still_runs(child.pid, started + 1)
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not still_runs(child.pid, started)  # nobody has asked for its status yet
    child.wait()
    assert not still_runs(child.pid, started)


def test_a_name_with_a_bracket_does_not_hide_the_start() -> None:
    """A process may call itself what it likes."""
    code = (
        "import ctypes, os;"
        "ctypes.CDLL(None).prctl(15, b'x) Z 1 (y', 0, 0, 0);"
        "from dbops.audit.actor import observe_actor, still_runs;"
        "a = observe_actor({}); print(a.started > 0 and still_runs(a.pid, a.started))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "True\n"
