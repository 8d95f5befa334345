"""The fork server behind `warm`: it has imported dbops, and forks a ready process a request.

`python -m tests.support.warm_server DIRECTORY OWNER` listens on a socket in DIRECTORY, which only
its own account can open, until the process OWNER ends or closes the pipe that is standard input.
It writes `ready` when it listens.

A fork goes on as `python -m dbops` would: with the asker's words, directory, umask, environment,
signals that are ignored, and standard files, and with nothing of the server's but its modules.
Whatever a fork cannot take over decides whether there is one: an asker of another account, with
other limits or namespaces, or whose environment a module or the interpreter reads while it is
loaded, is refused, and makes a cold start.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import select
import shutil
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.warm_process import Order, character_type, run
from tests.support.warm_shim import REFUSED, SOCKET

_PIPE = 0  # standard input: its other end is the owner's
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
_WHEN_USED = ("tabulate", "tqdm")  # which modules of dbops import inside their functions
_TAKEN_OVER = (b"PYTHONUNBUFFERED", b"PYTHONDONTWRITEBYTECODE")
_SAME_OF_STATUS = ("Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp", "SigBlk")


def _read_order(connection: socket.socket, descriptors: list[int]) -> Order:
    """The whole request, whose files are added to `descriptors`; OSError where it breaks off."""
    head, received, _, _ = socket.recv_fds(connection, 4, _DESCRIPTORS)
    descriptors += received
    length = int.from_bytes(head, "big")
    body = bytearray()
    while block := connection.recv(length - len(body)):
        body += block
    if len(descriptors) != _DESCRIPTORS or not body or len(body) != length:
        raise ConnectionError("the request broke off")
    group, cwd, count, *rest = bytes(body).split(b"\0")
    words, variables = rest[: int(count)], rest[int(count) :]
    status = _status_of(_asker(connection))
    return Order(
        group=group,
        cwd=cwd,
        words=[os.fsdecode(word) for word in words],
        environ=dict(variable.split(b"=", 1) for variable in variables),
        descriptors=descriptors,
        umask=int(status["Umask"], 8),
        ignored=int(status["SigIgn"], 16),
    )


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
        """None when the owner has gone or closed its pipe; in a fork, what it is to do."""
        self.poll.register(_PIPE, select.POLLIN)
        self.poll.register(self.owner, select.POLLIN)
        self.poll.register(self.listener, select.POLLIN)
        while True:
            for number, _ in self.poll.poll():
                if number in {_PIPE, self.owner}:
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
        """In a fork, what it is to do; None in the server, which keeps no file of the asker."""
        connection, _ = self.listener.accept()
        connection.settimeout(_REQUEST_SECONDS)
        descriptors: list[int] = []
        try:
            order = _read_order(connection, descriptors)
            connection.settimeout(None)
            if not self._fits(order, _asker(connection)):
                self._refuse(connection)
            elif self._fork(connection):
                return order
        except OSError:  # the asker is another account's, or has ended
            connection.close()
        for number in descriptors:
            os.close(number)
        return None

    def _fits(self, order: Order, asker: int) -> bool:
        return (
            _surroundings(asker) == self.surroundings
            and _early(order.environ) == self.early
            and character_type(order.environ) is not None
        )

    @staticmethod
    def _refuse(connection: socket.socket) -> None:
        with connection:
            connection.sendall(_NUMBER.pack(REFUSED))

    def _fork(self, connection: socket.socket) -> bool:
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
        with contextlib.suppress(KeyError):  # the asker had gone before
            self.poll.unregister(connection)
        self._say(connection, os.waitstatus_to_exitcode(status))
        connection.close()

    @staticmethod
    def _say(connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):  # the asker has gone; the loop will notice
            connection.sendall(_NUMBER.pack(number))

    def _end(self) -> None:
        for pid, _ in self.running.values():
            os.kill(pid, signal.SIGKILL)


def _preload() -> None:
    """Import every module of dbops, from where a cold start has it."""
    package = importlib.import_module("dbops")
    modules = [module.name for module in pkgutil.walk_packages(package.__path__, "dbops.")]
    for name in (*_WHEN_USED, *modules):
        if not name.endswith(".__main__"):
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001, S112 - the command that needs it will say so
                continue
    gc.collect()
    gc.freeze()  # a collection in a fork would touch, and so copy, all that is shared


def _listen(directory: Path, owner: int) -> Server:
    descriptor = os.pidfd_open(owner)
    if os.getppid() != owner:
        raise SystemExit("the owner has gone")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(directory / SOCKET))
    listener.listen(64)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the owner
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208
        raise SystemExit("a fork of a process with threads is none: something started one")
    here = os.getpid()
    return Server(listener, descriptor, _surroundings(here), _early(os.environb))


def _main(directory: Path, owner: int) -> Order | None:
    del sys.path[0]  # the tests' root
    os.chdir("/")
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
    # What comes out of `run` reaches the interpreter, which ends the process as it always does.
    if (_order := _main(Path(sys.argv[1]), int(sys.argv[2]))) is not None:
        run(_order)
