"""Reading a whole snapshot into memory, for tests."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from dbops.backup.ports import Snapshot
from dbops.engines.postgresql.connect import Parameters
from dbops.engines.postgresql.snapshot import PostgresqlSnapshot
from dbops.estate.values import SslMode
from dbops.repository.frames import Payload
from tests.fix_postgresql import PgDatabase


def parameters(
    database: PgDatabase, user: str | None = None, password: str | None = None
) -> Parameters:
    """How dbops logs in: as the superuser by password, as another role through the socket."""
    server = database.server
    by_socket = user is not None and password is None
    return Parameters(
        host=str(server.socket_directory) if by_socket else server.host,
        port=server.port,
        dbname=database.name,
        user=user or server.superuser,
        password=password or (None if by_socket else server.password),
        sslmode=SslMode.DISABLE,
        sslrootcert=None,
    )


@dataclass
class CollectingSink:
    """Keeps every range that has ended, by stream and index."""

    ranges: dict[str, dict[int, bytes]] = field(default_factory=lambda: defaultdict(dict))
    largest: int = 0
    _open: tuple[str, int] | None = None
    _blocks: list[bytes] = field(default_factory=list)

    def begin(self, stream: str, index: int, payload: Payload) -> None:  # noqa: ARG002
        assert self._open is None
        self._open, self._blocks = (stream, index), []

    def write(self, block: bytes, /) -> int:
        assert self._open is not None
        self._blocks.append(block)
        self.largest = max(self.largest, len(block))
        return len(block)

    def end(self, records: int | None = None) -> None:  # noqa: ARG002
        assert self._open is not None
        (stream, index), self._open = self._open, None
        assert index not in self.ranges[stream]
        self.ranges[stream][index] = b"".join(self._blocks)

    def rows(self, stream: str) -> list[bytes]:
        """The lines of a stream, sorted."""
        return sorted(b"".join(self.ranges[stream].values()).splitlines(keepends=True))


def read_all(snapshot: Snapshot, *only: str) -> CollectingSink:
    """Every range of these streams, or of all."""
    sink = CollectingSink()
    reader = snapshot.recipe.open()
    try:
        for plan in snapshot.streams():
            if not only or plan.name in only:
                for unit in plan.units:
                    reader.read(unit, sink)
                assert sorted(sink.ranges[plan.name]) == list(range(plan.ranges))
    finally:
        reader.close()
    return sink


def row_streams(snapshot: PostgresqlSnapshot) -> list[str]:
    """The names of the streams that are tables."""
    return [plan.name for plan in snapshot.streams() if "." in plan.name]
