"""Real `dbops` processes without the half second in which an interpreter imports what they need.

One server a pytest worker has the modules in memory; what is run is a fork of it, and in every
other respect the process that `python -m dbops` would be: see warm_server. What a test may not
share with others (a command line for `ps`, memory, limits, another account) needs a cold start.
"""

from __future__ import annotations

import atexit
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support import warm_shim

_COMMAND = (sys.executable, "-m", "dbops")
_SERVER = "tests.support.warm_server"
_ROOT = Path(__file__).parents[2]
_STARTING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Zygote:
    """A running server and its private directory, which also holds the shim."""

    process: subprocess.Popen[bytes]
    directory: Path

    @property
    def shim(self) -> Path:
        """An executable file that is `dbops` for a shell, by this name or behind a link."""
        return self.directory / "dbops"

    def stop(self) -> None:
        """End the server and wait; processes that it forked end with it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def start_zygote(environ: Mapping[str, str] | None = None) -> Zygote:
    """A server that is ready. It ends with this process, whatever ends that."""
    directory = Path(tempfile.mkdtemp(prefix="warm-"))
    shim = directory / "dbops"
    source = Path(warm_shim.__file__).read_text("utf-8")
    shim.write_text(f"#!{sys.executable} -IS\n{source}", "utf-8")
    shim.chmod(0o700)
    log = directory / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", _SERVER, str(directory), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            cwd=_ROOT,
            env={**(os.environ if environ is None else environ), "LC_ALL": "C.UTF-8"},
        )
    zygote = Zygote(process, directory)
    assert process.stdout is not None
    with process.stdout as answer:
        ready = answer.readline() == b"ready\n"
    # What a module says when it is imported, a command would have to say again.
    if not ready or log.stat().st_size:
        told = log.read_text("utf-8", "replace")
        zygote.stop()
        raise RuntimeError(f"the warm server did not start well:\n{told}")
    return zygote


def zygote() -> Zygote:
    """This worker's server, started when it is first asked for."""
    with _STARTING:
        return _zygote_of(os.getpid())


@cache
def _zygote_of(_pid: int) -> Zygote:
    started = start_zygote()
    atexit.register(started.stop)
    return started


def shim() -> Path:
    """The program `dbops` for tests that run a shell."""
    return zygote().shim


def run_warm(
    words: Sequence[str],
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    new_session: bool = False,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` of `python -m dbops WORDS` with captured text returns.

    `stdin` is a descriptor or DEVNULL; `timeout` is in seconds. Where the server could not be
    faithful, a cold start is made.
    """
    try:
        return run_forked(
            zygote(),
            words,
            cwd=cwd,
            environ=environ,
            stdin=stdin,
            new_session=new_session,
            timeout=timeout,
        )
    except warm_shim.Refused:
        return subprocess.run(
            [*_COMMAND, *words],
            cwd=cwd,
            env=environ,
            stdin=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            start_new_session=new_session,
            timeout=timeout,
            check=False,
        )


def run_forked(
    server: Zygote,
    words: Sequence[str],
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    new_session: bool = False,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """The same, by that server; Refused where it would need a cold start."""
    variables = os.environ if environ is None else environ
    body = warm_shim.request(
        map(os.fsencode, words),
        os.fsencode(cwd or Path.cwd()),
        {os.fsencode(name): os.fsencode(value) for name, value in variables.items()},
        warm_shim.OWN_SESSION if new_session else warm_shim.SAME_GROUP,
    )
    command = [*_COMMAND, *words]
    with ExitStack() as open_files:
        with _standard_files(stdin) as (files, out, err):
            open_files.callback(os.close, out)
            open_files.callback(os.close, err)
            connection, _ = warm_shim.ask(str(server.directory), body, files)
        open_files.callback(connection.close)  # before its answer, this kills the process
        end = None if timeout is None else time.monotonic() + timeout
        try:
            printed = _read_to_the_end(out, err, end)
            connection.settimeout(_left(end))
            status = warm_shim.answer(connection)
        except TimeoutError:
            raise subprocess.TimeoutExpired(command, timeout or 0) from None
    return subprocess.CompletedProcess(command, status, *map(_text, printed))


@contextmanager
def _standard_files(stdin: int) -> Iterator[tuple[tuple[int, int, int], int, int]]:
    """The three descriptors to hand over, open within, and the ends to read, which stay open."""
    given = os.open(os.devnull, os.O_RDWR) if stdin == subprocess.DEVNULL else os.dup(stdin)
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    try:
        yield (given, out_end, err_end), out, err
    finally:
        for number in (given, out_end, err_end):
            os.close(number)


def _left(end: float | None) -> float | None:
    """The seconds until then; TimeoutError when there are none."""
    if end is None:
        return None
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _read_to_the_end(out: int, err: int, end: float | None) -> tuple[bytes, bytes]:
    """All that is written until the last writer has closed, of both at the same time."""
    blocks: dict[int, list[bytes]] = {out: [], err: []}
    with selectors.DefaultSelector() as waiting:
        waiting.register(out, selectors.EVENT_READ)
        waiting.register(err, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select(_left(end)):
                block = os.read(key.fd, 1 << 16)
                blocks[key.fd].append(block)
                if not block:
                    waiting.unregister(key.fd)
    return b"".join(blocks[out]), b"".join(blocks[err])


def _text(data: bytes) -> str:
    return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
