"""Secrets are read from where the estate says, refused when others can read them, never shown."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from dbops.errors import DbopsError, Failed, NotFound, Refused
from dbops.estate.secrets import resolve_secret
from dbops.estate.values import Secret, SecretCommand, SecretEnv, SecretFile

CANARY = "canary-张三-7"
HERE = dict(os.environ)
ALONE = "it must hold the secret alone, on one line"
BY_HAND = "run the command that dbops.toml gives by hand to see why"


def secret_file(directory: Path, content: bytes, mode: int = 0o600) -> SecretFile:
    path = directory / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return SecretFile(path)


def python(code: str) -> SecretCommand:
    return SecretCommand((sys.executable, "-c", code))


def refusal(
    kind: type[DbopsError], secret: Secret, *, environ: dict[str, str], seconds: float = 30
) -> tuple[str, str, str]:
    with pytest.raises(kind) as caught:
        resolve_secret(secret, environ, seconds=seconds)
    shown = f"{caught.value.message} {caught.value.hint} {caught.value.__cause__!r}"
    assert CANARY not in shown
    return caught.value.code, caught.value.message, caught.value.hint


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_file_without_its_last_newline(tmp_path: Path, end: bytes) -> None:
    """A file's secret is its only line, whatever ends it; spaces belong to it."""
    secret = secret_file(tmp_path, f" {CANARY} ".encode() + end)
    assert resolve_secret(secret, {}) == f" {CANARY} "


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A secret file that another account may touch is refused, with the command that mends it."""
    secret = secret_file(tmp_path, CANARY.encode(), mode)
    assert refusal(Refused, secret, environ={}) == (
        "secret-file-open",
        f"secret file {secret.path} is open to other accounts",
        f"chmod 600 {secret.path}",
    )


def test_missing_file(tmp_path: Path) -> None:
    """A secret file that is not there is named."""
    path = tmp_path / "none" / "secret"
    assert refusal(NotFound, SecretFile(path), environ={}) == (
        "secret-missing",
        f"secret file {path} does not exist",
        f"write the secret into {path} and chmod 600 it",
    )


def test_directory_and_pipe_are_no_secret_files(tmp_path: Path) -> None:
    """What is not a regular file is refused, and a named pipe is not waited for."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (tmp_path, pipe):
        assert refusal(Failed, SecretFile(path), environ={}) == (
            "secret-unreadable",
            f"secret file {path} is not a regular file",
            f"ls -l {path}",
        )


@pytest.mark.parametrize(
    ("content", "code", "why"),
    [
        (b"", "secret-empty", "holds nothing"),
        (b"\n", "secret-empty", "holds nothing"),
        (CANARY.encode() + b"\nuser: x\n", "secret-not-one-line", "holds more than one line"),
        (CANARY.encode() + b"\0", "secret-not-one-line", "holds more than one line"),
        (CANARY.encode() + b"\xff", "secret-not-one-line", "is not text in UTF-8"),
        (b"x" * 65_537, "secret-not-one-line", "holds more than 64 KiB"),
    ],
)
def test_file_that_is_not_one_line(tmp_path: Path, content: bytes, code: str, why: str) -> None:
    """A secret that no connection could carry is refused before anything connects."""
    secret = secret_file(tmp_path, content)
    expected = (code, f"secret file {secret.path} {why}", ALONE)
    assert refusal(Failed, secret, environ={}) == expected


def test_environment_variable() -> None:
    """A variable is read from the environment that was passed in, and no other."""
    assert resolve_secret(SecretEnv("PATH"), {"PATH": CANARY}) == CANARY
    assert refusal(NotFound, SecretEnv("PATH"), environ={"HOME": "/"}) == (
        "secret-missing",
        "environment variable PATH is not set",
        "set PATH, or name a file in dbops.toml",
    )
    assert refusal(Failed, SecretEnv("PATH"), environ={"PATH": ""}) == (
        "secret-empty",
        "environment variable PATH holds nothing",
        ALONE,
    )


def test_command_prints_the_secret() -> None:
    """A command's only line is the secret; it sees the environment that was passed in."""
    secret = python("import os; print(os.environ['GIVEN'])")
    assert resolve_secret(secret, HERE | {"GIVEN": CANARY, "PYTHONUTF8": "1"}) == CANARY


def test_command_is_not_a_shell_line() -> None:
    """Arguments reach the program as they are written."""
    secret = SecretCommand(("printf", "%s", "$HOME;`id`"))
    assert resolve_secret(secret, HERE) == "$HOME;`id`"


def test_failing_command_names_its_program_and_status_only(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Of a failed command nothing is shown but its name and its status."""
    secret = python(f"import sys; print('{CANARY}'); sys.exit('{CANARY}')")
    name = Path(sys.executable).name
    assert refusal(Failed, secret, environ=HERE) == (
        "secret-command",
        f"secret command {name} ended with status 1",
        BY_HAND,
    )
    killed = python("import os; os.kill(os.getpid(), 9)")
    assert (
        refusal(Failed, killed, environ=HERE)[1] == f"secret command {name} was ended by signal 9"
    )
    assert capfd.readouterr() == ("", "")


def test_command_that_does_not_exist() -> None:
    """A program that is not there is a failure of the secret, not of dbops."""
    assert refusal(Failed, SecretCommand(("no-such-program", CANARY)), environ=HERE) == (
        "secret-command",
        "secret command no-such-program cannot be started (errno 2)",
        BY_HAND,
    )


def test_slow_command_is_ended_with_its_children() -> None:
    """At the bound the command and the child that holds its output are killed."""
    secret = SecretCommand(("sh", "-c", "sleep 61.25 & echo $!; wait"))
    started = time.monotonic()
    assert refusal(Failed, secret, environ=HERE, seconds=0.5) == (
        "secret-command-slow",
        "secret command sh did not end within 0.5 seconds",
        BY_HAND,
    )
    assert time.monotonic() - started < 20
    assert not sleeping("61.25")


def sleeping(seconds: str) -> bool:
    """Return whether a `sleep` of that length still runs, looking for up to five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not any(runs(each, seconds) for each in Path("/proc").glob("[0-9]*/cmdline")):
            return False
        time.sleep(0.05)
    return True


def runs(cmdline: Path, seconds: str) -> bool:
    try:
        return cmdline.read_bytes() == f"sleep\0{seconds}\0".encode()
    except OSError:
        return False


def test_endless_command_is_ended() -> None:
    """A command that prints without end is stopped at 64 KiB, long before its time is up."""
    started = time.monotonic()
    assert refusal(Failed, SecretCommand(("yes", CANARY)), environ=HERE) == (
        "secret-not-one-line",
        "secret command yes holds more than 64 KiB",
        ALONE,
    )
    assert time.monotonic() - started < 20


def test_repr_of_a_command_hides_its_arguments() -> None:
    """Arguments of a secret command stay out of every repr."""
    secret = SecretCommand(("/usr/bin/vault", "read", f"-token={CANARY}"))
    assert repr(secret) == "SecretCommand(program='vault')"
