"""How a fork of the warm server becomes the process that `python -m dbops` is, and how it ends."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import locale
import multiprocessing.process
import os
import runpy
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tests.support.warm_shim import OWN_GROUP, OWN_SESSION

_COERCED = "C.UTF-8"  # PEP 538: what an interpreter takes where the locale is C
_LENIENT = ("C.UTF-8", "C.utf8", "UTF-8")  # PEP 538: surrogateescape on standard files
_NAMES = ("<stdin>", "<stdout>", "<stderr>")
_OTHER_ENCODINGS = (b"PYTHONIOENCODING", b"PYTHONUTF8", b"PYTHONCOERCECLOCALE")
_LOCALES = (b"LC_ALL", b"LC_CTYPE", b"LANG")


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for, and by whom: `umask` and `ignored` signals are the asker's."""

    group: bytes
    cwd: bytes
    words: list[str]
    environ: dict[bytes, bytes]
    descriptors: list[int]
    umask: int
    ignored: int


@dataclass(frozen=True, slots=True)
class CharacterType:
    """The locale that decides on encodings; `coerced` where the environment names none that is."""

    name: str
    coerced: bool


def character_type(environ: Mapping[bytes, bytes]) -> CharacterType | None:
    """What an interpreter would choose; None where that is not UTF-8, or would take its UTF-8 mode.

    Afterwards this process has that locale, or the one that it had.
    """
    if any(environ.get(name) for name in _OTHER_ENCODINGS):
        return None
    named = next(filter(None, (environ.get(name, b"") for name in _LOCALES)), b"C")
    for name in (os.fsdecode(named), _COERCED):
        try:
            chosen = locale.setlocale(locale.LC_CTYPE, name)
        except locale.Error:
            chosen = "C"  # the C library stays with this one
        if chosen not in {"C", "POSIX"}:
            is_utf8 = locale.nl_langinfo(locale.CODESET) == "UTF-8"
            return CharacterType(chosen, name != os.fsdecode(named)) if is_utf8 else None
        if environ.get(b"LC_ALL"):
            return None  # PEP 538 leaves this one alone
    return None


def run(order: Order) -> None:
    """Run `dbops`; raises what the interpreter is to end the process with."""
    _become(order)
    try:
        runpy._run_module_as_main("dbops")  # type: ignore[attr-defined]  # as `python -m` does
    except SystemExit as end:
        _leave(end.code)
        raise


def _leave(code: object) -> None:
    """End as Py_FinalizeEx does, but leave the modules to the kernel: that saves 50 ms.

    Returns, with nothing done that the interpreter would not do itself, where the end is unusual.
    """
    if not (code is None or isinstance(code, int)):
        return
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        gc.collect()
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit((code or 0) & 0xFF)


def _become(order: Order) -> None:
    """Afterwards this process is what `python -m dbops` is before it runs its first line."""
    _take_signals(order.ignored)
    if order.group == OWN_SESSION:
        os.setsid()
    elif order.group == OWN_GROUP:
        os.setpgid(0, 0)
    _take_files(order.descriptors)
    os.chdir(order.cwd)
    os.umask(order.umask)
    chosen = _take_environment(order.environ)
    _take_streams(chosen, unbuffered=bool(order.environ.get(b"PYTHONUNBUFFERED")))
    cwd = str(Path.cwd())
    multiprocessing.process.ORIGINAL_DIR = cwd  # type: ignore[attr-defined]  # not in typeshed
    sys.path.insert(0, cwd)
    sys.argv = ["-m", *order.words]
    sys.orig_argv = [sys.executable, "-m", "dbops", *order.words]
    sys.modules["warm"] = sys.modules["__main__"]  # its globals are still in use
    sys.modules["__main__"] = ModuleType("__main__")


def _take_files(descriptors: list[int]) -> None:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are wanted
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the listing's own is closed
                os.close(int(name))


def _take_environment(environ: dict[bytes, bytes]) -> CharacterType:
    chosen = character_type(environ)
    assert chosen is not None, "the server would have refused"
    os.environ.clear()
    os.environb.update(environ)
    if chosen.coerced:
        os.environ["LC_CTYPE"] = _COERCED
    time.tzset()
    tempfile.tempdir = None
    sys.dont_write_bytecode = bool(environ.get(b"PYTHONDONTWRITEBYTECODE"))
    return chosen


def _take_streams(chosen: CharacterType, *, unbuffered: bool) -> None:
    """The three text files that an interpreter opens (Python/pylifecycle.c, create_stdio)."""
    errors = "surrogateescape" if chosen.name in _LENIENT else "strict"
    sys.stdin = sys.__stdin__ = _stream(0, errors, unbuffered)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, errors, unbuffered)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "backslashreplace", unbuffered)  # type: ignore[misc]


def _stream(descriptor: int, errors: str, unbuffered: bool) -> io.TextIOWrapper:
    mode = "w" if descriptor else "r"
    raw = io.FileIO(descriptor, mode, closefd=False)
    raw.name = _NAMES[descriptor]
    stream = io.TextIOWrapper(
        _buffer(raw, unbuffered=unbuffered),
        encoding="utf-8",
        errors=errors,
        newline="\n",
        line_buffering=not unbuffered and (raw.isatty() or descriptor == 2),
        write_through=unbuffered,
    )
    stream.mode = mode  # type: ignore[misc]
    return stream


def _buffer(
    raw: io.FileIO, *, unbuffered: bool
) -> io.FileIO | io.BufferedReader | io.BufferedWriter:
    if raw.readable():
        return io.BufferedReader(raw)
    return raw if unbuffered else io.BufferedWriter(raw)


def _take_signals(ignored: int) -> None:
    """What was ignored stays so; the rest is as the interpreter sets it when it starts."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        left = ignored >> (number - 1) & 1
        signal.signal(number, signal.SIG_IGN if left else signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    if not ignored >> (signal.SIGINT - 1) & 1:
        signal.signal(signal.SIGINT, signal.default_int_handler)
