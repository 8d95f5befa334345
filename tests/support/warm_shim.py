"""The program `dbops` of tests that use a shell: it has the warm server run what it was asked.

A copy of this file lies beside the server's socket, behind a `#!` line. It passes its arguments,
directory, environment and standard files on, hands signals through and ends as the command ended.
Where the server refuses, it becomes an ordinary `python -m dbops`.

It is started as `python -I -S` hundreds of times, so it imports the C modules alone: `socket` and
`signal` build enumerations for as long again as the rest takes.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # typeshed has none
import _socket
import os
import sys
from collections.abc import Iterable, Mapping

SOCKET = "socket"
REFUSED = -1  # in place of a process number
SAME_GROUP, OWN_GROUP, OWN_SESSION = b"same", b"group", b"session"
_FORWARDED = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)


class Refused(Exception):
    """The server cannot be what this process would have become: a cold start is needed."""


def request(
    words: Iterable[bytes], cwd: bytes, environ: Mapping[bytes, bytes], group: bytes
) -> bytes:
    """What the server is asked for, as one block: neither words nor variables can hold a NUL."""
    said = list(words)
    variables = [name + b"=" + value for name, value in environ.items()]
    return b"\0".join([group, cwd, b"%d" % len(said), *said, *variables])


def ask(directory: str, body: bytes, files: tuple[int, int, int]) -> tuple[_socket.socket, int]:
    """The connection on which the status will come, and the number of the process that was forked.

    Raises Refused, and OSError where nobody listens or a standard file is closed.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        if connection.fileno() <= max(files) < 3:
            raise OSError("a standard file is closed, and this took its place")
        connection.connect(os.path.join(directory, SOCKET))  # noqa: PTH118 - see above
        rights = b"".join(number.to_bytes(4, sys.byteorder) for number in files)
        length = len(body).to_bytes(4, "big")
        connection.sendmsg([length], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        connection.sendall(body)
        pid = answer(connection)
    except BaseException:
        connection.close()
        raise
    if pid == REFUSED:
        connection.close()
        raise Refused
    return connection, pid


def answer(connection: _socket.socket) -> int:
    """The next number from the server; ConnectionError where it has gone."""
    data = b""
    while len(data) < 4:
        block = connection.recv(4 - len(data))
        if not block:
            raise ConnectionError("the warm server has gone")
        data += block
    return int.from_bytes(data, "big", signed=True)


class Forwarding:
    """Signals go to the process that works for this one, also those that came too early."""

    def __init__(self) -> None:
        self.pid = 0
        self.early: list[int] = []
        for number in _FORWARDED:
            if _signal.getsignal(number) is not _signal.SIG_IGN:
                _signal.signal(number, self._pass_on)

    def to(self, pid: int) -> None:
        self.pid = pid
        for number in self.early:
            self._pass_on(number, None)

    def _pass_on(self, number: int, _frame: object) -> None:
        if not self.pid:
            self.early.append(number)
            return
        try:  # noqa: SIM105 - see above
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass  # it has ended, and its status is on the way


def main() -> None:
    """Ends as the command ends, be it by a signal."""
    here = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120 - see above
    forwarding = Forwarding()
    try:
        words = [os.fsencode(word) for word in sys.argv[1:]]
        body = request(words, os.getcwdb(), os.environb, OWN_GROUP)  # noqa: PTH109
        connection, pid = ask(here, body, (0, 1, 2))
    except (OSError, Refused):
        for number in _FORWARDED:
            if _signal.getsignal(number) is not _signal.SIG_IGN:
                _signal.signal(number, _signal.SIG_DFL)
        os.execv(sys.executable, [sys.executable, "-m", "dbops", *sys.argv[1:]])  # noqa: S606
    forwarding.to(pid)
    status = answer(connection)
    if status < 0:
        if -status not in {_signal.SIGKILL, _signal.SIGSTOP}:
            _signal.signal(-status, _signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    main()
