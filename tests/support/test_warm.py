"""Warm runs are what cold starts are: same answers, and every property of the process, too."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.crash.postgresql import NAME, fill, found_postgresql_estate
from tests.crash.processes import wait_until
from tests.engines.postgresql.sealed import fresh_database
from tests.fix_postgresql import PgServer
from tests.support import telltale, warm
from tests.support.estate import DATABASE, found_test_estate
from tests.support.warm_shim import Refused

ROOT = Path(__file__).parents[2]
OWNER = """
import sys
from tests.support.warm import run_forked, start_zygote
server = start_zygote()
print(server.process.pid, server.directory, flush=True)
run_forked(server, sys.argv[1:])
"""
_DIFFERS = re.compile(r"\d{4}-\d\d-\d\d[ T][\d:]+Z?|\d+(\.\d+)? (s|B|kB|MB)\b|[0-9a-f]{16,}|@\d+")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory where `dbops` is the telltale."""
    place = tmp_path_factory.mktemp("telltale")
    (place / "dbops").mkdir()
    (place / "dbops" / "__init__.py").touch()
    shutil.copy(telltale.__file__, place / "dbops" / "__main__.py")
    return place


@pytest.fixture(scope="module")
def base(package: Path) -> dict[str, str]:
    """The least environment in which it is found."""
    return {"PATH": os.defpath, "PYTHONPATH": str(package)}


@pytest.fixture(scope="module")
def server(base: dict[str, str]) -> Iterator[warm.Zygote]:
    """A server that has it."""
    started = warm.start_zygote(base)
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m` looks for `dbops` in its own directory first: not in the source tree's."""
    monkeypatch.chdir(tmp_path)


def cold(*words: str, environ: Mapping[str, str], **how: object) -> tuple[int, str, str]:
    done = subprocess.run(  # type: ignore[call-overload]  # what else it takes is the test's
        [sys.executable, "-m", "dbops", *words],
        env=environ,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        **{"stdin": subprocess.DEVNULL, **how},
    )
    return done.returncode, done.stdout, done.stderr


def ended(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {},
    {"LC_ALL": "C.UTF-8", "TZ": "Asia/Shanghai", "A": "值"},
    {"LC_ALL": "C.utf8", "LANG": "C"},
    {"LANG": "C"},
    {"LANG": "xx_XX.UTF-8"},
    {"LANG": "C.UTF-8", "TMPDIR": "/var/tmp", "EMPTY": ""},  # noqa: S108 - it only looks
    {"LC_CTYPE": "POSIX", "PYTHONUNBUFFERED": "1"},
    {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": ""},
)


@pytest.mark.parametrize("extra", ENVIRONMENTS, ids=str)
def test_the_process_is_the_same(
    server: warm.Zygote, base: dict[str, str], tmp_path: Path, extra: dict[str, str]
) -> None:
    """Environment, directory, words, files, signals, streams, time zone: a cold start has these."""
    environ = {**base, **extra}
    words = ("tell", "", "a b", "行\n", "--x=*", "\udcff")
    given = tmp_path / "given"
    given.write_text("one\r\ntwo 患者", "utf-8", newline="")
    with given.open() as file, given.open() as again:
        expected = cold(*words, environ=environ, cwd=tmp_path, stdin=file)
        found = warm.run_forked(server, words, environ=environ, cwd=tmp_path, stdin=again.fileno())
    assert (expected[0], expected[2]) == (0, "")
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout) == json.loads(expected[1])


def test_what_it_inherits_is_the_askers(
    server: warm.Zygote, base: dict[str, str], tmp_path: Path
) -> None:
    """Umask and ignored signals are those of the moment; a session of its own where asked for."""
    before = os.umask(0o027), signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        expected = cold("tell", environ=base, cwd=tmp_path, start_new_session=True)
        found = warm.run_forked(server, ["tell"], environ=base, cwd=tmp_path, new_session=True)
    finally:
        os.umask(before[0])
        signal.signal(signal.SIGINT, before[1])
    said = json.loads(found.stdout)
    assert said == json.loads(expected[1])
    assert (said["umask"], said["session"], said["signals"]["2"]) == (
        0o027,
        True,
        str(signal.SIG_IGN),
    )


ENDINGS = (
    "late",
    "interrupt",
    "text",
    "write",
    "leave",
    "status 0",
    "status 3",
    "status 300",
    "kill 9",
    "kill 15",
)


@pytest.mark.parametrize("words", ENDINGS)
def test_the_end_is_the_same(server: warm.Zygote, base: dict[str, str], words: str) -> None:
    """Status or signal, and all that is written on the way out."""
    found = ended(warm.run_forked(server, words.split(), environ=base))
    expected = cold(*words.split(), environ=base)
    if words == "interrupt":  # the stacks differ, and the last words do not
        found, expected = ((*each[:2], each[2].splitlines()[-1]) for each in (found, expected))
    assert found == expected


def test_a_traceback_names_the_same_place(server: warm.Zygote, base: dict[str, str]) -> None:
    """What is not caught ends with 1, and the innermost lines are those of a cold start."""
    found, expected = warm.run_forked(server, ["raise"], environ=base), cold("raise", environ=base)
    assert (found.returncode, found.stdout) == expected[:2] == (1, "")
    assert found.stderr.splitlines()[0] == expected[2].splitlines()[0]
    assert found.stderr.splitlines()[-3:] == expected[2].splitlines()[-3:]


SHELL = (
    'dbops status 7; echo $?; dbops write | cat; echo "in" | dbops tell | wc -l',
    "dbops write > /dev/full; echo $?",
    "dbops kill 9; echo $?; dbops kill 15; echo $?",
    "dbops text 2>&1 >/dev/null | cat; false | dbops status 4",
    "dbops write >&-; echo $?",
    'trap "" INT; dbops interrupt; echo $?',
    "dbops interrupt 2>/dev/null; echo $?",
)


@pytest.mark.parametrize("script", SHELL)
def test_a_shell_sees_no_difference(
    server: warm.Zygote, base: dict[str, str], tmp_path: Path, script: str
) -> None:
    """Statuses, pipes, closed files and signals, through the shim behind a link and without it."""
    linked = tmp_path / "bin"
    linked.mkdir()
    (linked / "dbops").symlink_to(server.shim)
    program = tmp_path / "cold"
    program.mkdir()
    (program / "dbops").write_text(f'#!/bin/sh\nexec {sys.executable} -m dbops "$@"\n')
    (program / "dbops").chmod(0o700)
    answers = [
        subprocess.run(
            ["sh", "-c", script],
            env={**base, "PATH": f"{place}:{os.defpath}"},
            capture_output=True,
            text=True,
            check=False,
        )
        for place in (linked, program)
    ]
    found, expected = (
        (done.returncode, done.stdout, _without_places(done.stderr)) for done in answers
    )
    assert found == expected


def _without_places(text: str) -> list[str]:
    """Without what the shell says of its line, where the program's name is a path."""
    return [
        line for line in text.splitlines() if not line.startswith(("sh: ", "Killed", "Terminated"))
    ]


def test_signals_reach_the_program(
    server: warm.Zygote, base: dict[str, str], tmp_path: Path
) -> None:
    """What the shim gets, the program behind it handles; the shim ends as that ends."""
    begun = tmp_path / "begun"
    process = subprocess.Popen(
        [server.shim, "await", begun, tmp_path / "never"],
        env=base,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wait_until(begun.exists, 30)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[1] == "terminated\n"
    assert process.returncode == 1


def _gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_a_killed_shim_takes_the_program_along(
    server: warm.Zygote, base: dict[str, str], tmp_path: Path
) -> None:
    """As the process would be gone that it stands for."""
    begun = tmp_path / "begun"
    with subprocess.Popen([server.shim, "await", begun, tmp_path / "never"], env=base) as process:
        assert wait_until(begun.exists, 30)
        process.kill()
    assert wait_until(lambda: _gone(int(begun.read_text())), 30)


def test_a_run_ends_when_its_time_is_over(
    server: warm.Zygote, base: dict[str, str], tmp_path: Path
) -> None:
    """The asker gets the same exception as from `subprocess.run`, and the process is gone."""
    begun = tmp_path / "begun"
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run_forked(
            server, ["await", str(begun), str(tmp_path / "never")], environ=base, timeout=1
        )
    assert wait_until(lambda: not begun.exists() or _gone(int(begun.read_text())), 30)


def test_several_run_at_the_same_time(
    server: warm.Zygote, base: dict[str, str], tmp_path: Path
) -> None:
    """Each waits for the file that the other one makes: one after the other they would not end."""
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(warm.run_forked, server, ["await", *files], environ=base, timeout=50)
            for files in ((one, two), (two, one))
        ]
    assert [ended(run.result()) for run in runs] == [(0, "", "")] * 2


REFUSED = (
    {"PYTHONHASHSEED": "1"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONUTF8": "1"},
    {"LC_ALL": "C"},
    {"PYTHONPATH": "/elsewhere"},
    {"LD_BIND_NOW": "1"},
    {"LANGUAGE": "zh"},
)


@pytest.mark.parametrize("extra", REFUSED, ids=str)
def test_what_a_fork_cannot_be_is_started_cold(
    server: warm.Zygote, base: dict[str, str], extra: dict[str, str]
) -> None:
    """An environment that takes effect while an interpreter starts is refused."""
    with pytest.raises(Refused):
        warm.run_forked(server, ["warm"], environ={**base, **extra})


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ('exec "$0" warm', "True"),
        ('LC_ALL=C "$0" warm', "False"),
        ('ulimit -n 99; "$0" warm', "False"),
        ('"$0" warm <&-', "False"),
    ],
)
def test_a_shim_in_other_surroundings_starts_cold(
    server: warm.Zygote, base: dict[str, str], script: str, answer: str
) -> None:
    """Limits, closed files and locales are those of the shell, whatever the server has."""
    done = subprocess.run(
        ["sh", "-c", script, server.shim], env=base, capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == (answer, "")


def test_the_server_ends_with_its_owner(
    package: Path, base: dict[str, str], tmp_path: Path
) -> None:
    """Owner killed: no server, no process that it forked, no directory."""
    begun = tmp_path / "begun"
    words = [sys.executable, "-c", OWNER, "await", str(begun), str(tmp_path / "never")]
    environ = {**base, "PYTHONPATH": f"{base['PYTHONPATH']}:{ROOT}"}
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, place = owner.stdout.readline().split()
        assert wait_until(begun.exists, 30)
        owner.kill()
    assert wait_until(lambda: _gone(int(pid)) and _gone(int(begun.read_text())), 30)
    assert not Path(place).exists()


def test_stopping_leaves_nothing(base: dict[str, str]) -> None:
    """The server has ended well, and its directory is gone."""
    started = warm.start_zygote(base)
    started.stop()
    assert started.process.returncode == 0
    assert not started.directory.exists()


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An estate whose database has no backup yet."""
    root = tmp_path_factory.mktemp("warm") / "estate"
    found_test_estate(root)
    return root


COMMANDS = (
    "--help",
    "--version",
    "backup",
    f"backup run {DATABASE}",
    "backup list --json",
    "restore run nothing --to copy.db",
    "backup lst",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_dbops_answers_the_same(estate: Path, command: str) -> None:
    """Help, errors, tables and JSON, warm and cold; only times, sizes and digests may differ."""
    environ = {**os.environ, "DBOPS_ESTATE": str(estate)}
    found = ended(warm.run_forked(warm.zygote(), command.split(), environ=environ, cwd=estate))
    expected = cold(*command.split(), environ=environ, cwd=estate)
    assert _comparable(found) == _comparable(expected)


def _comparable(answer: tuple[int, str, str]) -> tuple[object, ...]:
    return (answer[0], *(_DIFFERS.sub("…", text) for text in answer[1:]))


def test_workers_are_spawned(tmp_path: Path, pg17: PgServer) -> None:
    """A backup whose tables two processes of its own have to read ends well, and silently."""
    with fresh_database(pg17, "warm") as database:
        for table in ("one", "two"):
            fill(database, table, 10)
        root = found_postgresql_estate(tmp_path / "estate", database)
        words = ["--estate", str(root), "backup", "run", NAME, "--jobs", "2"]
        status, out, err = ended(warm.run_forked(warm.zygote(), words))
    assert (status, err) == (0, "")
    assert out.startswith(f"{NAME}@1  ")


@pytest.mark.parametrize(
    "environ", [{"LC_ALL": "C.UTF-8"}, {"LANG": "C.UTF-8"}, {}], ids=["LC_ALL", "LANG", "neither"]
)
def test_what_tests_ask_for_is_warm(environ: dict[str, str]) -> None:
    """This account, its limits and the environments of transcripts and pages need no cold start."""
    inherited = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    for variables in ({"PATH": os.defpath, **environ}, {**os.environ, **environ}):
        given = {**variables, **inherited}
        assert ended(warm.run_forked(warm.zygote(), ["--version"], environ=given))[0] == 0
