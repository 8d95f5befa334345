"""A way to a PostgreSQL server on which a COMMIT can be held back."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Way:
    """Passes bytes on; once `armed`, the next COMMIT lies here until `pass_on`."""

    target: int
    listener: socket.socket
    armed: bool = False
    held: bytes = b""
    visitors: int = 0  # connections so far
    _holder: socket.socket | None = None
    _pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    def pass_on(self) -> None:
        """The COMMIT goes where it was sent."""
        assert self._holder is not None
        self._holder.sendall(self.held)

    def serve(self) -> None:
        """Until the listener is closed."""
        while self.listener.fileno() >= 0:
            ends = {a: b for pair in self._pairs for a, b in (pair, pair[::-1])}
            with suppress(OSError, ValueError):
                ready, _, _ = select.select([self.listener, *ends], [], [], 0.05)
                for one in ready:
                    if one is self.listener:
                        self._accept()
                    else:
                        self._pass(one, ends[one])

    def close(self) -> None:
        self.listener.close()
        for end in (end for pair in self._pairs for end in pair):
            end.close()

    def _accept(self) -> None:
        client, _ = self.listener.accept()
        self._pairs.append((client, socket.create_connection(("127.0.0.1", self.target))))
        self.visitors += 1

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        data = source.recv(1 << 16)
        if not data:
            self._pairs = [pair for pair in self._pairs if source not in pair]
            source.close()
            target.close()
        elif self.armed and b"COMMIT" in data:
            self.armed, self._holder, self.held = False, target, data
        else:
            target.sendall(data)


@contextmanager
def way_to(port: int) -> Iterator[Way]:
    """Such a way to the server at that port of this machine."""
    way = Way(port, socket.create_server(("127.0.0.1", 0)))
    thread = threading.Thread(target=way.serve)
    thread.start()
    try:
        yield way
    finally:
        way.close()
        thread.join(10)
