"""Two at once, locks that others hold, and connections that break: real servers, real sockets."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from dbops.errors import DbopsError, Unreachable
from dbops.repair.manifest import Repair
from dbops.repair.ports import MarkerKind
from dbops.repair.resume import Fate, OpenRun, what_became
from dbops.repair.transaction import Stage
from tests.engines.postgresql.repair_database import PgSite, parameters_of
from tests.repair.bench import Bench, Faulty, repair, watch
from tests.repair.hospital import MOVE, build, contents, moving


@pytest.fixture
def ward(bench: Bench) -> Bench:
    """Twelve visits, five of them booked to the closed ward OLD."""
    return build(bench)


@pytest.fixture
def server(postgresql_bench: Bench) -> Bench:
    """The same on PostgreSQL."""
    return build(postgresql_bench)


def other(work: str = "w-2") -> Repair:
    watched = watch("visit", "dept = 'OLD'", update=5, may_change=["note"])
    return repair(watched, work=work)


NOTE = "UPDATE visit SET note = 'x' WHERE dept = 'OLD'"


def test_two_repairs_of_the_same_rows_at_once(ward: Bench) -> None:
    """The second waits and is refused; it has not written half, nor hindered the first."""
    second: list[DbopsError] = []

    def meanwhile() -> None:
        try:
            Bench(ward.site, ward.directory, ward.identity).run(other(), NOTE)
        except DbopsError as error:
            second.append(error)

    ward.at[Stage.SCRIPT] = meanwhile
    ward.run(moving(), MOVE)
    assert [isinstance(error, Unreachable) for error in second] == [True]
    assert ward.markers("w-2") == []
    assert [row[2:] for row in ward.rows("visit")][:2] == [("ORT", "n1"), ("ORT", "n2")]
    assert len(ward.files) == 1


def test_the_same_repair_at_once(ward: Bench) -> None:
    """One piece of work runs once on a database at any time."""
    second: list[DbopsError] = []

    def meanwhile() -> None:
        try:
            Bench(ward.site, ward.directory, ward.identity).run(moving(), MOVE)
        except DbopsError as error:
            second.append(error)

    ward.at[Stage.BEGUN] = meanwhile
    ward.run(moving(), MOVE)
    assert [error.code in {"work-running", "lock-timeout"} for error in second] == [True]
    assert (len(ward.files), len(ward.markers())) == (1, 1)


def test_somebody_holds_the_rows(server: Bench) -> None:
    """A wait for a lock ends with its bound, and nothing is left."""
    before = contents(server)
    assert isinstance(server.site, PgSite)
    with server.site.database.connect() as holder:
        holder.execute("BEGIN; UPDATE visit SET note = 'mine' WHERE id = 2")
        with pytest.raises(Unreachable) as caught:
            server.run(moving(), MOVE)
        holder.execute("ROLLBACK")
    assert (caught.value.code, contents(server), server.files) == ("lock-timeout", before, [])


def test_somebody_changed_the_rows_after_the_snapshot(server: Bench) -> None:
    """Such a run is begun anew, and sees what was changed."""
    engine = Faulty(server.site.engine)
    engine.after["markers"] = lambda: server.site.run("UPDATE visit SET note = '' WHERE id = 2")
    report = server.run(moving(), MOVE, engine)
    assert (report.attempts, len(server.files)) == (2, 1)
    changed = {change.key: change for _, change in server.changes(report)}
    assert (changed[(b"2",)].before or ())[3] == b""


def terminate(server: Bench) -> None:
    """End every connection of the repair role, as an administrator would."""
    assert isinstance(server.site, PgSite)
    role = server.site.engine.repair_role
    server.site.run(
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{role}'"
    )


@pytest.mark.parametrize("stage", [Stage.BEFORE, Stage.SCRIPT, Stage.SEALED, Stage.COMMITTING])
def test_the_server_ends_the_connection(server: Bench, stage: Stage) -> None:
    """Whenever it happens before COMMIT, nothing took place and nothing is left."""
    before = contents(server)
    server.at[stage] = lambda: terminate(server)
    with pytest.raises(DbopsError):
        server.run(moving(), MOVE)
    assert (contents(server), server.files, server.markers()) == (before, [], [])
    assert (Stage.ROLLED_BACK in server.stages) is (stage is Stage.COMMITTING)


class Proxy:
    """Stands between a client and the server, and can lose what either says."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.port: int = self._listener.getsockname()[1]
        self.deaf = False  # loses the next COMMIT that a client sends, and the connection
        self.mute = False  # delivers it, waits for the answer, and loses that
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()
        self._thread.join(10)
        for pair in self._pairs:
            for end in pair:
                end.close()

    def _serve(self) -> None:
        while self._listener.fileno() >= 0:
            ends = {a: b for pair in self._pairs for a, b in (pair, pair[::-1])}
            with suppress(OSError, ValueError):
                ready, _, _ = select.select([self._listener, *ends], [], [], 0.05)
                for one in ready:
                    if one is self._listener:
                        self._accept()
                    else:
                        self._pass(one, ends[one])

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._target))
        self._pairs.append((client, server))

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        data = source.recv(1 << 16)
        lost = (self.deaf or self.mute) and b"COMMIT" in data
        waits = lost and self.mute
        if lost:
            self.deaf = self.mute = False
        if waits:
            target.sendall(data)
            target.recv(1 << 16)  # it is committed once the server answers
        if lost or not data:
            self._pairs = [pair for pair in self._pairs if source not in pair]
            source.close()
            target.close()
        else:
            target.sendall(data)


@contextmanager
def proxied(server: Bench) -> Iterator[tuple[Proxy, Bench]]:
    """A proxy before the database, and a bench whose engine goes through it."""
    assert isinstance(server.site, PgSite)
    pg = server.site.database.server
    role = server.site.engine.repair_role
    server.site.run(f"ALTER ROLE {role} PASSWORD 'secret'")
    proxy = Proxy(pg.port)
    through = replace(
        parameters_of(pg, server.site.database.name, role),
        host="127.0.0.1",
        port=proxy.port,
        password="secret",
    )
    engine = replace(server.site.engine, parameters=lambda: through)
    bench = Bench(replace(server.site, engine=engine), server.directory, server.identity)
    try:
        yield proxy, bench
    finally:
        proxy.close()


@pytest.mark.parametrize("committed", [False, True])
def test_the_network_breaks_at_commit(server: Bench, committed: bool) -> None:
    """Lost on its way there it did not happen; lost on the way back it did; both are told."""
    before = contents(server)
    with proxied(server) as (proxy, bench):
        order = bench.order(moving(), MOVE)

        def break_it() -> None:
            proxy.deaf, proxy.mute = not committed, committed

        bench.at[Stage.COMMITTING] = break_it
        if committed:
            report = bench.run_order(order)
            assert report.run == order.run
        else:
            with pytest.raises(Unreachable) as caught:
                bench.run_order(order)
            assert caught.value.code == "commit-lost"
    assert (contents(server) == before) is not committed
    assert len(server.files) == int(committed)
    fate = what_became(OpenRun(1, order.run, "w-1", MarkerKind.REPAIR), server.site.engine).fate
    assert fate is (Fate.COMMITTED if committed else Fate.NOTHING)
