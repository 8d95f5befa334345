"""A program in place of `dbops` that says what a process can find out about itself, and obeys."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path


def told() -> dict[str, object]:
    """Everything that a cold start and a warm run have to agree on."""
    main = sys.modules["__main__"]
    mask = os.umask(0)
    os.umask(mask)
    return {
        "environ": dict(os.environ),
        "cwd": str(Path.cwd()),
        "words": sys.argv[1:],
        "program": sys.orig_argv[1:],
        "path": sys.path,
        "main": [str(main.__spec__ and main.__spec__.name), sorted(vars(main))],
        "umask": mask,
        "files": sorted({each.name for each in Path("/proc/self/fd").iterdir()} - {"3"}),
        "signals": {int(each): _handler(each) for each in signal.valid_signals()},
        "streams": [_stream(each) for each in (sys.stdin, sys.stdout, sys.stderr)],
        "same": [sys.stdin, sys.stdout, sys.stderr]
        == [sys.__stdin__, sys.__stdout__, sys.__stderr__],
        "stdin": sys.stdin.read(),
        "temporary": tempfile.gettempdir(),
        "hour": time.localtime(0).tm_hour,
        "session": os.getsid(0) == os.getpid(),
        "bytecode": sys.dont_write_bytecode,
        "threads": threading.active_count(),
    }


def _handler(number: int) -> str:
    return str(signal.getsignal(number)).partition(" at ")[0]


def _stream(stream: object) -> list[str]:
    names = ("name", "mode", "encoding", "errors", "newlines", "line_buffering", "write_through")
    buffer = getattr(stream, "buffer", None)
    return [*(str(getattr(stream, name)) for name in names), str(buffer)]


def _is_warm() -> None:
    print("warm_server" in Path("/proc/self/cmdline").read_text())  # noqa: T201


def _late() -> None:
    atexit.register(sys.stdout.write, "at exit\n")
    threading.Timer(0.1, sys.stdout.write, ["thread\n"]).start()
    sys.stdout.write("main\n")


def _raise() -> None:
    raise ValueError("a value")


def _interrupt() -> None:
    signal.raise_signal(signal.SIGINT)
    sys.stdout.write("ignored\n")


def _await() -> None:
    """Say one's number in the first file and wait for the second; SIGTERM ends it in words."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    mine, theirs = map(Path, sys.argv[2:])
    mine.with_suffix(".new").write_text(str(os.getpid()))
    mine.with_suffix(".new").rename(mine)
    end = time.monotonic() + 60
    while not theirs.exists() and time.monotonic() < end:
        time.sleep(0.01)


DEEDS: Mapping[str, Callable[[], object]] = {
    "tell": lambda: print(json.dumps(told())),  # noqa: T201
    "warm": _is_warm,
    "late": _late,
    "raise": _raise,
    "interrupt": _interrupt,
    "await": _await,
    "write": lambda: sys.stdout.write("text"),
    "status": lambda: sys.exit(int(sys.argv[2])),
    "text": lambda: sys.exit("an end"),
    "kill": lambda: os.kill(os.getpid(), int(sys.argv[2])),
    "leave": lambda: os._exit(9),
}

if __name__ == "__main__":
    DEEDS[sys.argv[1]]()
