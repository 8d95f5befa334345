"""One measurement in a process of its own: `python -m benchmarks.repair_child`, orders on stdin.

The orders are a JSON object: `how` is "bare" for the UPDATE alone, "repair" for the whole of a
reviewed repair with the same UPDATE, or "undo" for that repair and its undo. Says seconds and
bytes as a JSON object.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol, cast

import apsw

from dbops.crypto.age import Identity
from dbops.engines.postgresql.connect import Parameters, connect
from dbops.engines.postgresql.repair import PostgresqlRepairEngine
from dbops.engines.sqlite.repair import SqliteRepairEngine
from dbops.estate.values import SqliteAddress, SslMode
from dbops.repair.bundles import BundlePlace
from dbops.repair.manifest import Limits, Repair, UndoOf, Watch
from dbops.repair.ports import RepairEngine
from dbops.repair.report import RunReport
from dbops.repair.run import run_repair
from dbops.repair.run_order import RunOrder, UndoOrder
from dbops.repair.table import TableName
from dbops.repair.undo import undo_repair
from dbops.review.work import Risk
from dbops.sql.script import parse_fragment, parse_script
from dbops.sql.written import Written

WORK = "2026-117-visit-ward"
UPDATE = "UPDATE visit SET ward = 'ORT' WHERE ward = 'OLD'"
WHERE = "ward = 'OLD'"
SUPERUSER, ROLE = "postgres", "dbops_repair"
READER = Identity.generate()


class Measured(Protocol):
    """A database whose visits are repaired."""

    @property
    def engine(self) -> RepairEngine: ...

    def bare(self) -> float:
        """Seconds of the UPDATE alone, committed, on a connection that is open already."""
        ...


class MeasuredPostgresql:
    """A database of the server behind this socket; everybody is trusted."""

    def __init__(
        self, directory: str, port: int, dbname: str = SUPERUSER, role: str = ROLE
    ) -> None:
        self._directory = directory
        self._port = port
        self._dbname = dbname
        self._role = role

    @property
    def engine(self) -> PostgresqlRepairEngine:
        return PostgresqlRepairEngine(
            parameters=lambda: self.login(self._role),
            admin=lambda: self.login(SUPERUSER),
            repair_role=self._role,
        )

    def login(self, user: str) -> Parameters:
        """How this role comes in."""
        return Parameters(
            host=self._directory,
            port=self._port,
            dbname=self._dbname,
            user=user,
            password=None,
            sslmode=SslMode.DISABLE,
            sslrootcert=None,
        )

    def bare(self) -> float:
        with connect(self.login(self._role)) as session:
            start = time.monotonic()
            session.run(UPDATE.replace(" visit ", " public.visit "), doing="the UPDATE alone")
            return time.monotonic() - start


class MeasuredSqlite:
    """This file."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    @property
    def engine(self) -> SqliteRepairEngine:
        return SqliteRepairEngine(SqliteAddress(name="measured", path=self._path))

    def bare(self) -> float:
        connection = apsw.Connection(str(self._path))
        connection.execute("PRAGMA synchronous=EXTRA")  # as durable as the repair
        start = time.monotonic()
        connection.execute(UPDATE)
        seconds = time.monotonic() - start
        connection.close()
        return seconds


def measured(orders: dict[str, object]) -> Measured:
    """The database that the orders name."""
    if "path" in orders:
        return MeasuredSqlite(str(orders["path"]))
    return MeasuredPostgresql(
        str(orders["socket"]),
        int(str(orders["port"])),
        str(orders.get("dbname", SUPERUSER)),
        str(orders.get("role", ROLE)),
    )


def manifest_of(rows: int) -> Repair:
    """A repair of so many visits."""
    expected = Watch(
        TableName("", "visit"),
        parse_fragment(WHERE, "repair.yml", 1),
        Written(updated=rows),
        ("ward",),
    )
    return Repair(
        id=WORK,
        title="a repair",
        author="wei@contractor",
        ticket="T-1",
        risk=Risk.LOW,
        database="measured",
        opened=None,
        cause=None,
        watches=(expected,),
        limits=Limits(rows=rows, statement=timedelta(minutes=10)),
    )


def repair(engine: RepairEngine, rows: int, directory: Path) -> RunReport:
    """What the repair did, from the first connection to the durable COMMIT."""
    order = RunOrder(
        repair=manifest_of(rows),
        script=parse_script(f"{UPDATE};\n".encode(), "repair.sql"),
        payload=None,
        plan=secrets.token_hex(32),
        run=secrets.token_hex(16),
        database="measured",
        identity=engine.identity(),
        recipients=[READER.recipient],
        key=secrets.token_hex(32),
        scratch=directory,
    )
    report = run_repair(order, engine, BundlePlace(directory), lambda _stage: None)
    assert report.rows == rows, report
    return report


def undo(engine: RepairEngine, ran: RunReport, directory: Path) -> RunReport:
    """Every row of the run is as it was before."""
    place = BundlePlace(directory)
    manifest = replace(
        manifest_of(ran.rows),
        id=f"{WORK}-undo",
        watches=(),
        undo_of=UndoOf(WORK, (ran.sha256,)),
    )
    order = UndoOrder(
        repair=manifest,
        plan=secrets.token_hex(32),
        run=secrets.token_hex(16),
        database="measured",
        identity=engine.identity(),
        recipients=[READER.recipient],
        key=secrets.token_hex(32),
    )
    bundle = place.open(place.find(ran.sha256), [READER], ran.sha256)
    report = undo_repair(order, [bundle], engine, place, lambda _stage: None)
    assert report.rows == ran.rows, report
    return report


def peak_memory() -> int:
    """The most memory (RSS, bytes) that this process has ever had; that of its parent is not in it.

    `getrusage` would say the parent's at the time of the fork where that was more.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not say how much memory a process had")


def main() -> None:
    """Do as ordered, and say what it took."""
    orders = cast("dict[str, object]", json.load(sys.stdin))
    database = measured(orders)
    before = peak_memory()
    if orders["how"] == "bare":
        seconds = database.bare()
    else:
        directory = Path(str(orders["directory"]))
        done = [repair(database.engine, int(str(orders["rows"])), directory)]
        if orders["how"] == "undo":
            done.append(undo(database.engine, done[0], directory))
        for report in done:
            report.bundle.unlink()
        seconds = sum(report.seconds for report in done)
    told = {"seconds": seconds, "before": before, "memory": peak_memory()}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
