"""Client programs of PostgreSQL as children: their secrets, their pipes, their end.

A child gets a password file that lies in memory where the system has such files (Linux), and else
in a private temporary directory; never an argument, never a variable. What it complains about is
drained and never shown, because it may quote rows: only the SQLSTATE in it is used.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dbops.engines.postgresql.connect import Parameters, client_env
from dbops.engines.postgresql.encoding import Encoding
from dbops.engines.postgresql.faults import child_fault
from dbops.errors import DbopsError, Failed

PIPE_BYTES = 1 << 20
STOP_SECONDS = 5.0
_KEPT_COMPLAINT = 16 << 10


class Child:
    """A running client program. `read` its output, `write` its input, `finish` or `kill` it."""

    def __init__(self, tool: str, process: subprocess.Popen[bytes], doing: str) -> None:
        self.tool = tool
        self.doing = doing
        self._process = process
        self._complaint = bytearray()
        self._drain = threading.Thread(target=self._drain_stderr, daemon=True)
        self._drain.start()
        for pipe in (process.stdin, process.stdout):
            _widen(pipe)

    def read(self) -> bytes:
        """The next block of output, at most 1 MiB; empty at the end."""
        assert self._process.stdout is not None  # noqa: S101 - always a pipe
        return os.read(self._process.stdout.fileno(), PIPE_BYTES)

    def write(self, block: bytes) -> None:
        """Give it input; raises what ended it where it does not listen any more."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe where input is wanted
        try:
            self._process.stdin.write(block)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self.fault() from None

    def finish(self) -> None:
        """Afterwards it has ended well; raises where its exit status says otherwise."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        if self._ended() != 0:
            raise self.fault()
        self._close()

    def fault(self) -> DbopsError:
        """Why it ended, or that it ended too early; it is stopped and gone afterwards."""
        status = self._ended()
        self._close()
        return child_fault(self.tool, status, bytes(self._complaint), self.doing)

    def kill(self) -> None:
        """It is gone; a second call does nothing."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._close()

    def _ended(self) -> int:
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _close(self) -> None:
        self._drain.join(STOP_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _drain_stderr(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - always a pipe
        with suppress(OSError, ValueError):
            while block := os.read(self._process.stderr.fileno(), 1 << 16):
                room = _KEPT_COMPLAINT - len(self._complaint)
                self._complaint += block[:room]


def start_child(
    program: Path,
    arguments: Sequence[str],
    params: Parameters,
    encoding: Encoding,
    *,
    doing: str,
    with_input: bool = False,
    lock_seconds: float = 0,
) -> Child:
    """The program runs with libpq's variables for these parameters, and nothing else around it.

    `doing` says in errors what was going on. Raises Failed where it cannot be started.
    """
    with password_file(params) as (passfile, descriptors):
        environment = client_env(params, passfile, encoding, lock_seconds=lock_seconds)
        try:
            process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                pass_fds=descriptors,
            )
        except OSError as error:
            raise Failed(
                "client-not-started",
                f"{doing}: {program} cannot be started (errno {error.errno})",
                hint="dbops doctor",
            ) from None
    return Child(program.name, process, doing)


@contextmanager
def password_file(params: Parameters) -> Iterator[tuple[Path | None, tuple[int, ...]]]:
    """A file in libpq's format with the password, and the descriptors a child must inherit.

    None where there is no password. On Linux the file lies in memory and goes with its last
    user, also after SIGKILL; elsewhere in a private directory, for the length of the `with`.
    """
    if params.password is None:
        yield None, ()
        return
    line = f"*:*:*:*:{_escaped(params.password)}\n".encode()
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("dbops-passfile")
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor, no path
            os.fchmod(descriptor, 0o600)
            file.write(line)
            yield Path(f"/dev/fd/{descriptor}"), (descriptor,)
        return
    with tempfile.TemporaryDirectory(prefix="dbops-") as directory:
        path = Path(directory, "passfile")
        path.touch(mode=0o600)
        path.write_bytes(line)
        yield path, ()


def _escaped(password: str) -> str:
    return password.replace("\\", "\\\\").replace(":", "\\:")


def _widen(pipe: IO[bytes] | None) -> None:
    """Fewer switches between the processes; an account over its limit keeps the usual 64 KiB."""
    if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
