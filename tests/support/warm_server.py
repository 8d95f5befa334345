"""The fork server behind `warm`: it has imported dbops, and forks a ready process a request.

`python warm_server.py DIRECTORY OWNER` listens on DIRECTORY/socket, which only its own account can
open, until the process OWNER ends. It writes `ready` on standard output when it listens.

A fork goes on as `python -m dbops` would: with the asker's words, directory, umask, environment,
signals that are ignored, and standard files, and with nothing of the server's but its modules.
Whatever a fork cannot take over decides whether there is one: an asker of another account, with
other limits or namespaces, or whose environment a module or the interpreter reads while it is
loaded, is refused, and makes a cold start.
"""

from __future__ import annotations

import gc
import importlib
import io
import locale
import multiprocessing.process
import os
import pkgutil
import runpy
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

_REFUSED = -1
_NUMBER = struct.Struct("!i")
_CREDENTIALS = struct.Struct("iII")  # struct ucred: process, user, group
_REQUEST_SECONDS = 10.0
_DESCRIPTORS = 3
# Read by the interpreter, the loader or a module when it starts, and by nobody afterwards.
_READ_EARLY = (
    b"GLIBC_",
    b"LANGUAGE",
    b"LD_",
    b"MALLOC_",
    b"OPENSSL_",
    b"PSYCOPG_",
    b"PYDANTIC_",
    b"PYTHON",
    b"TQDM_",
    b"WCWIDTH_",
    b"_PYTHON",
)
_TAKEN_OVER = (b"PYTHONUNBUFFERED", b"PYTHONDONTWRITEBYTECODE", b"PYTHONIOENCODING")
_LEGACY = (b"", b"C", b"POSIX")
_COERCED = b"C.UTF-8"  # PEP 538
_LENIENT = ("C.UTF-8", "C.utf8", "UTF-8")  # PEP 538: surrogateescape on standard files
_SAME_OF_STATUS = ("Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp", "SigBlk")


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


def _read_order(connection: socket.socket) -> Order | None:
    """The whole request; None where it breaks off."""
    head, descriptors, _, _ = socket.recv_fds(connection, 4, _DESCRIPTORS)
    length = int.from_bytes(head, "big")
    body = bytearray()
    while block := connection.recv(length - len(body)):
        body += block
    if len(descriptors) != _DESCRIPTORS or not body or len(body) != length:
        _close(descriptors)
        return None
    group, cwd, count, *rest = bytes(body).split(b"\0")
    words, variables = rest[: int(count)], rest[int(count) :]
    environ = dict(variable.split(b"=", 1) for variable in variables)
    status = _status_of(_asker(connection))
    return Order(
        group,
        cwd,
        [os.fsdecode(word) for word in words],
        environ,
        descriptors,
        int(status["Umask"], 8),
        int(status["SigIgn"], 16),
    )


def _close(descriptors: list[int]) -> None:
    for number in descriptors:
        os.close(number)


def _asker(connection: socket.socket) -> int:
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(data)[0]
    return pid


def _status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _surroundings(pid: int) -> tuple[object, ...]:
    """What a forked process has from the server and could not change: account, limits, mounts."""
    place = Path("/proc") / str(pid)
    status = _status_of(pid)
    namespaces = sorted((each.name, str(each.readlink())) for each in (place / "ns").iterdir())
    return (
        {name: value for name, value in status.items() if name.startswith(_SAME_OF_STATUS)},
        namespaces,
        (place / "limits").read_text("utf-8"),
        (place / "root").readlink(),
    )


def _early(environ: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The variables that take effect before a fork could set them."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(_READ_EARLY) and name not in _TAKEN_OVER
    }


def _character_type(environ: Mapping[bytes, bytes]) -> str | None:
    """The locale that decides on encodings, if it is there and of UTF-8; None otherwise."""
    if environ.get(b"PYTHONIOENCODING", b"utf-8").lower() not in {b"utf-8", b"utf8", b""}:
        return None
    names = (environ.get(name, b"") for name in (b"LC_ALL", b"LC_CTYPE", b"LANG"))
    name = next(filter(None, names), b"")
    if name in _LEGACY:
        if environ.get(b"LC_ALL"):
            return None  # PEP 538 leaves this one alone
        name = _COERCED
    try:
        chosen = locale.setlocale(locale.LC_CTYPE, os.fsdecode(name))
    except locale.Error:
        return None
    return chosen if locale.nl_langinfo(locale.CODESET) == "UTF-8" else None


@dataclass
class Server:
    """Listens, forks, and tells every asker how its process ended."""

    listener: socket.socket
    owner: int  # a descriptor of that process
    surroundings: tuple[object, ...]
    early: dict[bytes, bytes]
    poll: select.poll = field(default_factory=select.poll)
    # By the descriptor of a process, and by that of its asker's connection.
    running: dict[int, tuple[int, socket.socket]] = field(default_factory=dict)
    asking: dict[int, int] = field(default_factory=dict)

    def serve(self) -> Order | None:
        """None when the owner has gone; in a fork, what it is to do."""
        self.poll.register(self.owner, select.POLLIN)
        self.poll.register(self.listener, select.POLLIN)
        while True:
            for number, _ in self.poll.poll():
                if number == self.owner:
                    self._end()
                    return None
                if number == self.listener.fileno():
                    order = self._accept()
                    if order is not None:
                        return order
                elif number in self.running:
                    self._tell(number)
                elif number in self.asking:  # its asker was killed, and so is it
                    os.kill(self.asking[number], signal.SIGKILL)
                    self.poll.unregister(number)

    def _accept(self) -> Order | None:
        connection, _ = self.listener.accept()
        connection.settimeout(_REQUEST_SECONDS)
        try:
            order = _read_order(connection)
            if order is None:
                connection.close()
                return None
            fits = self._fits(order, _asker(connection))
        except OSError:  # the asker is another account's, or dead
            connection.close()
            return None
        connection.settimeout(None)
        forked = self._fork(order, connection) if fits else self._refuse(connection)
        if not forked:
            _close(order.descriptors)
        return order if forked else None

    def _fits(self, order: Order, asker: int) -> bool:
        return (
            _surroundings(asker) == self.surroundings
            and _early(order.environ) == self.early
            and _character_type(order.environ) is not None
        )

    @staticmethod
    def _refuse(connection: socket.socket) -> bool:
        with connection:
            connection.sendall(_NUMBER.pack(_REFUSED))
        return False

    def _fork(self, order: Order, connection: socket.socket) -> bool:
        """Whether this is the new process."""
        pid = os.fork()
        if pid == 0:
            # Their numbers are about to be others' files: no object may close them later.
            for other in (self.listener, connection, *(each for _, each in self.running.values())):
                other.detach()
            return True
        process = os.pidfd_open(pid)
        self.running[process] = (pid, connection)
        self.asking[connection.fileno()] = pid
        self.poll.register(process, select.POLLIN)
        self.poll.register(connection, select.POLLRDHUP)
        self._say(connection, pid)
        return False

    def _tell(self, process: int) -> None:
        """The status goes to the asker; negative for a signal, as `subprocess` counts."""
        pid, connection = self.running.pop(process)
        _, status = os.waitpid(pid, 0)
        self.poll.unregister(process)
        os.close(process)
        del self.asking[connection.fileno()]
        try:
            self.poll.unregister(connection)
        except KeyError:
            pass  # the asker had gone before
        self._say(connection, os.waitstatus_to_exitcode(status))
        connection.close()

    @staticmethod
    def _say(connection: socket.socket, number: int) -> None:
        try:
            connection.sendall(_NUMBER.pack(number))
        except OSError:
            pass  # the asker has gone; its process is ended by the loop

    def _end(self) -> None:
        for pid, _ in self.running.values():
            os.kill(pid, signal.SIGKILL)


def _preload() -> None:
    """Import every module of dbops, and what they import only when they are used."""
    import dbops

    for module in pkgutil.walk_packages(dbops.__path__, "dbops."):
        if not module.name.endswith(".__main__"):
            try:
                importlib.import_module(module.name)
            except Exception:  # noqa: BLE001, S112 - the command that needs it will say so
                continue
    gc.collect()
    gc.freeze()  # a collection in a fork would touch, and so copy, all that is shared


def _listen(directory: Path, owner: int) -> Server:
    descriptor = os.pidfd_open(owner)
    if os.getppid() != owner:
        raise SystemExit("the owner has gone")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(directory / "socket"))
    listener.listen(64)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the owner
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208
        raise SystemExit("a fork of a process with threads is none: something started one")
    here = os.getpid()
    return Server(listener, descriptor, _surroundings(here), _early(os.environb))


def _become(order: Order) -> None:
    """Afterwards this process is what `python -m dbops` is before it runs its first line."""
    if order.group == b"session":
        os.setsid()
    elif order.group == b"group":
        os.setpgid(0, 0)
    _take_files(order.descriptors)
    os.chdir(order.cwd)
    os.umask(order.umask)
    _take_environment(order.environ)
    _take_streams(order.environ)
    _take_signals(order.ignored)
    cwd = str(Path.cwd())
    multiprocessing.process.ORIGINAL_DIR = cwd  # type: ignore[attr-defined]  # not in typeshed
    tempfile.tempdir = None
    sys.path.insert(0, cwd)
    sys.argv = ["-m", *order.words]
    sys.orig_argv = [sys.executable, "-m", "dbops", *order.words]
    sys.modules["warm_server"] = sys.modules["__main__"]  # whose globals are still in use
    sys.modules["__main__"] = ModuleType("__main__")


def _take_files(descriptors: list[int]) -> None:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are wanted
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                pass  # it was the listing's own


def _take_environment(environ: dict[bytes, bytes]) -> None:
    os.environ.clear()
    os.environb.update(environ)
    names = (os.environb.get(name, b"") for name in (b"LC_ALL", b"LC_CTYPE", b"LANG"))
    if next(filter(None, names), b"") in _LEGACY:
        os.environb[b"LC_CTYPE"] = _COERCED  # as an interpreter that starts does: PEP 538
    locale.setlocale(locale.LC_CTYPE, "")
    time.tzset()
    sys.dont_write_bytecode = bool(environ.get(b"PYTHONDONTWRITEBYTECODE"))


def _take_streams(environ: dict[bytes, bytes]) -> None:
    """The three text files that an interpreter opens (Python/pylifecycle.c, create_stdio)."""
    lenient = locale.setlocale(locale.LC_CTYPE) in _LENIENT and not environ.get(b"PYTHONIOENCODING")
    errors = "surrogateescape" if lenient else "strict"
    unbuffered = bool(environ.get(b"PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = _stream(0, "<stdin>", errors, plain=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "<stdout>", errors, plain=unbuffered)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(  # type: ignore[misc]
        2, "<stderr>", "backslashreplace", plain=unbuffered
    )


def _stream(descriptor: int, name: str, errors: str, *, plain: bool) -> io.TextIOWrapper:
    mode = "w" if descriptor else "r"
    raw = io.FileIO(descriptor, mode, closefd=False)
    raw.name = name
    buffer = raw if plain else io.BufferedWriter(raw) if descriptor else io.BufferedReader(raw)
    stream = io.TextIOWrapper(
        buffer,  # type: ignore[arg-type]  # an unbuffered one is a raw file there, too
        encoding="utf-8",
        errors=errors,
        newline="\n",
        line_buffering=not plain and (raw.isatty() or descriptor == 2),
        write_through=plain,
    )
    stream.mode = mode  # type: ignore[misc]
    return stream


def _take_signals(ignored: int) -> None:
    """What was ignored stays so; the rest is as the interpreter sets it when it starts."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        left = ignored >> (number - 1) & 1
        signal.signal(number, signal.SIG_IGN if left else signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    if not ignored >> (signal.SIGINT - 1) & 1:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _main(directory: Path, owner: int) -> Order | None:
    del sys.path[0]  # where this file lies
    _preload()
    server = _listen(directory, owner)
    os.write(1, b"ready\n")
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    order = server.serve()
    if order is None:
        shutil.rmtree(directory, ignore_errors=True)
    return order


if __name__ == "__main__":
    _order = _main(Path(sys.argv[1]), int(sys.argv[2]))
    if _order is not None:
        _become(_order)
        # What `python -m` calls. It is called here, so that the interpreter itself ends the process.
        runpy._run_module_as_main("dbops")  # type: ignore[attr-defined]
