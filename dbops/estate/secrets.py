"""Reading a secret at the moment that it is needed, from where the estate says it is.

A secret is one line of text. It is returned and never kept, shown or put into an error.
"""

from __future__ import annotations

import os
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from dbops.errors import Failed, NotFound, Refused
from dbops.estate.values import Secret, SecretCommand, SecretEnv, SecretFile

COMMAND_SECONDS = 30.0

_LARGEST = 64 * 1024
_BY_HAND = "run the command that dbops.toml gives by hand to see why"


def resolve_secret(
    secret: Secret, environ: Mapping[str, str], *, seconds: float = COMMAND_SECONDS
) -> str:
    """Return the secret, without the newline at its end.

    `environ` is where variables are looked up, and the whole environment of a command, which
    may run for `seconds` and is then killed with everything it started.

    Raises NotFound `secret-missing`; Refused `secret-file-open` for a file that others can read;
    Failed `secret-unreadable`, `secret-command`, `secret-command-slow`, `secret-empty` and
    `secret-not-one-line`.
    """
    match secret:
        case SecretFile(path):
            return _one_line(_content(path), f"secret file {path}")
        case SecretEnv(name):
            return _one_line(_variable(name, environ), f"environment variable {name}")
        case SecretCommand():
            output = _output(secret, environ, seconds)
            return _one_line(output, f"secret command {secret.program}")


def _one_line(content: bytes, source: str) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise _unusable(source, "secret-not-one-line", "is not text in UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise _unusable(source, "secret-empty", "holds nothing")
    # Neither libpq's password file nor its connection string can carry these.
    if any(each in text for each in "\n\r\0"):
        raise _unusable(source, "secret-not-one-line", "holds more than one line")
    return text


def _unusable(source: str, code: str, why: str) -> Failed:
    return Failed(code, f"{source} {why}", hint="it must hold the secret alone, on one line")


def _variable(name: str, environ: Mapping[str, str]) -> bytes:
    try:
        return os.fsencode(environ[name])
    except KeyError:
        raise NotFound(
            "secret-missing",
            f"environment variable {name} is not set",
            hint=f"set {name}, or name a file in dbops.toml",
        ) from None


def _content(path: Path) -> bytes:
    """Return the file's bytes; its kind and mode are those of the very file that is read."""
    try:
        # Without O_NONBLOCK a named pipe would hold the night up for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            _require_private(path, os.fstat(descriptor).st_mode)
            return _at_most(os.read(descriptor, _LARGEST + 1), f"secret file {path}")
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            "secret-missing",
            f"secret file {path} does not exist",
            hint=f"write the secret into {path} and chmod 600 it",
        ) from None
    except OSError as error:
        raise _unreadable(path, f"cannot be read (errno {error.errno})") from None


def _require_private(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise _unreadable(path, "is not a regular file")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Refused(
            "secret-file-open",
            f"secret file {path} is open to other accounts",
            hint=f"chmod 600 {path}",
        )


def _unreadable(path: Path, why: str) -> Failed:
    return Failed("secret-unreadable", f"secret file {path} {why}", hint=f"ls -l {path}")


def _at_most(content: bytes, source: str) -> bytes:
    if len(content) > _LARGEST:
        raise _unusable(source, "secret-not-one-line", "holds more than 64 KiB")
    return content


def _output(command: SecretCommand, environ: Mapping[str, str], seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    source = f"secret command {command.program}"
    with _start(command, environ, source) as process:
        try:
            output = _at_most(_read_until(process, deadline), source)
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise Failed(
                "secret-command-slow",
                f"{source} did not end within {seconds:g} seconds",
                hint=_BY_HAND,
            ) from None
        finally:
            if process.returncode is None:
                # The whole session: a shell's child would go on holding the pipe.
                os.killpg(process.pid, signal.SIGKILL)
    if status:
        ended = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
        raise Failed("secret-command", f"{source} {ended}", hint=_BY_HAND)
    return output


def _start(
    command: SecretCommand, environ: Mapping[str, str], source: str
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # Whatever it complains about may quote the secret.
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
    except OSError as error:
        raise Failed(
            "secret-command",
            f"{source} cannot be started (errno {error.errno})",
            hint=_BY_HAND,
        ) from None


def _read_until(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return what the process prints, up to one byte too many; TimeoutError at the deadline."""
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        if process.stdout is None:
            return b""
        pipe = selector.register(process.stdout, selectors.EVENT_READ).fd
        while len(output) <= _LARGEST:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            part = os.read(pipe, _LARGEST)
            if not part:
                break
            output += part
    return bytes(output)
