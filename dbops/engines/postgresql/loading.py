"""Rows back into tables: COPY on several connections, one transaction for each table.

A backup's bytes go to the server as they are, in blocks; no row is looked at here. Triggers, rules,
indexes and foreign keys do not exist yet. Checks do, and one can call a function that reads another
table; so tables that fail for the content of their rows are tried again when the others are in.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg

from dbops.backup.ports import Advance, StreamReader
from dbops.backup.ports import Contents as BackupContents
from dbops.engines.postgresql.connect import Parameters, Session, connect
from dbops.engines.postgresql.faults import server_fault
from dbops.engines.postgresql.streams import COLUMNS
from dbops.errors import DbopsError, Failed
from dbops.repository.ranges import Stream

# Classes of SQLSTATE that the rows of another table can bring about: data, integrity, PL/pgSQL,
# names (of tables that a function looks for), and an SQL function's own errors.
_TRY_AGAIN = frozenset({"22", "23", "42", "P0", "38", "39"})


@dataclass
class _Work:
    """What the threads share."""

    waiting: deque[Stream]
    again: list[Stream] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    failure: BaseException | None = None

    def fail(self, failure: BaseException) -> None:
        """The first failure counts; what others meet because of it does not."""
        with self.lock:
            self.failure = self.failure or failure
            self.stop.set()

    def next(self) -> Stream | None:
        with self.lock:
            return self.waiting.popleft() if self.waiting and not self.stop.is_set() else None


def load_tables(
    open_session: Callable[[], Session],
    contents: BackupContents,
    streams: Sequence[Stream],
    jobs: int,
    advance: Advance,
) -> None:
    """Afterwards each table holds the rows of its stream, and exactly as many as the backup.

    `advance` is told bytes. Raises the first error of any connection; tables are loaded whole or
    not at all.
    """
    waiting = list(streams)
    while waiting:
        work = _Work(deque(waiting))
        _load_all(open_session, contents, work, min(jobs, len(waiting)), advance)
        if len(work.again) == len(waiting):
            _load_one_by_one(open_session, contents, work.again, advance)
            return
        waiting = work.again


def _load_all(
    open_session: Callable[[], Session],
    contents: BackupContents,
    work: _Work,
    jobs: int,
    advance: Advance,
) -> None:
    reports = threading.Lock()

    def tell(size: int) -> None:
        with reports:
            advance(size)

    with ThreadPoolExecutor(jobs, thread_name_prefix="load") as pool:
        try:
            for _ in range(max(jobs, 1)):
                pool.submit(_serve, open_session, contents, work, tell)
            pool.shutdown(wait=True)
        except BaseException as interrupt:
            work.fail(interrupt)
            raise
    if work.failure is not None:
        raise work.failure


def _serve(
    open_session: Callable[[], Session], contents: BackupContents, work: _Work, advance: Advance
) -> None:
    """The life of one connection: take a table, load it, until there are no more."""
    try:
        with open_session() as session, contents.open() as reader:
            while (stream := work.next()) is not None:
                try:
                    _load(session, reader, stream, advance, work.stop)
                except psycopg.Error as error:
                    if (error.sqlstate or "")[:2] not in _TRY_AGAIN:
                        raise _fault(error, stream) from None
                    with work.lock:
                        work.again.append(stream)
    except BaseException as failure:  # noqa: BLE001 - raised again by the thread that waits
        work.fail(failure)


def _load_one_by_one(
    open_session: Callable[[], Session],
    contents: BackupContents,
    streams: Sequence[Stream],
    advance: Advance,
) -> None:
    """All of these failed though every other table is in: the first error is the reason."""
    with open_session() as session, contents.open() as reader:
        for stream in streams:
            try:
                _load(session, reader, stream, advance, threading.Event())
            except psycopg.Error as error:
                raise _fault(error, stream) from None


def _load(
    session: Session,
    reader: StreamReader,
    stream: Stream,
    advance: Advance,
    stop: threading.Event,
) -> None:
    columns = stream.detail.get(COLUMNS, "")
    listed = f" ({columns})" if columns else ""
    statement = f"COPY {stream.name}{listed} FROM STDIN"
    with session.connection.transaction():
        # In a table that its own transaction emptied, rows need no log where wal_level allows.
        if (emptied := _emptying(session, stream.name)) is not None:
            session.connection.execute(session.encoding.encode(emptied))
        copied = copy_in(session, statement, told(reader.read(stream), advance, stop))
        if copied != stream.proof.records:
            raise Failed(
                "rows-missing",
                f"{stream.name}: the server took {copied} rows, the backup holds "
                f"{stream.proof.records}",
                hint="look for a rule or a trigger on the table in the target database",
            )


def copy_in(session: Session, statement: str, blocks: Iterator[bytes]) -> int:
    """The rows that COPY took; psycopg's own errors come through."""
    with session.connection.cursor() as cursor:
        with cursor.copy(session.encoding.encode(statement)) as copy:
            for block in blocks:
                copy.write(block)
        return cursor.rowcount


def told(
    blocks: Iterator[bytes], advance: Advance, stop: threading.Event | None = None
) -> Iterator[bytes]:
    """The blocks, each told to `advance` once it is used; raises Failed after `stop`."""
    for block in blocks:
        if stop is not None and stop.is_set():
            raise Failed("restore-stopped", "another table failed", hint="see the first error")
        yield block
        advance(len(block))


def _emptying(session: Session, table: str) -> str | None:
    """What empties the table and no child of it; None for one that an extension has filled.

    The stream of an extension's table holds what is beyond the rows that the extension brings.
    """
    query = (
        "SELECT relkind::text, EXISTS (SELECT FROM pg_depend WHERE deptype = 'e'"
        " AND classid = 'pg_class'::regclass AND objid = c.oid)"
        " FROM pg_class AS c WHERE c.oid = to_regclass(%s)"
    )
    for kind, of_extension in session.rows(query, [table], doing=f"looking for {table}"):
        if of_extension:
            return None
        return f"TRUNCATE {table}" if kind == "p" else f"TRUNCATE ONLY {table}"
    return None


def _fault(error: psycopg.Error, stream: Stream) -> DbopsError:
    return server_fault(error.sqlstate, f"loading {stream.name}", error.diag.constraint_name or "")


def load_sequences(
    session: Session, blocks: Iterator[bytes], only: Collection[tuple[str, str]] | None = None
) -> None:
    """Every sequence stands where it stood; with `only`, those named there as (schema, name)."""
    doing = "restoring sequences"
    session.run(
        "CREATE TEMPORARY TABLE pg_temp.dbops_sequences"
        " (schema_ text, name_ text, last_value_ bigint, is_called_ boolean)",
        doing=doing,
    )
    load(session, "COPY pg_temp.dbops_sequences FROM STDIN", blocks, doing)
    names = session.rows("SELECT schema_, name_ FROM pg_temp.dbops_sequences", doing=doing)
    statement = (
        "SELECT setval(format('%%I.%%I', schema_, name_)::regclass, last_value_, is_called_)"
        " FROM pg_temp.dbops_sequences WHERE schema_ = %s AND name_ = %s"
    )
    for schema, name in names:
        if only is None or (schema, name) in only:
            session.value(statement, [schema, name], doing=f"restoring sequence {schema}.{name}")
    session.run("DROP TABLE pg_temp.dbops_sequences", doing=doing)


def load(session: Session, statement: str, blocks: Iterator[bytes], doing: str) -> int:
    """The rows that COPY took; raises DbopsError only."""
    try:
        return copy_in(session, statement, blocks)
    except psycopg.Error as error:
        raise server_fault(error.sqlstate, doing) from None


def sessions(params: Parameters) -> Callable[[], Session]:
    """What opens a connection to this database for each thread."""
    return lambda: connect(params)
