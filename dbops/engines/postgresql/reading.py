"""Read ranges of a snapshot: rows through a `psql` child, the rest as it was dumped.

A `psql` that copies into a pipe costs a third of the driver's row loop, because no row becomes a
Python object. It gets its statements on its input and prints, after the rows of each range, a line
`\\.`, which COPY text can never hold: there a backslash is always doubled. A range counts only when
that line has come; whatever ends `psql` before it is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

from dbops.backup.ports import RangeSink, Unit
from dbops.engines.postgresql.client import Child, start_child
from dbops.engines.postgresql.connect import conninfo_keepalive, literal
from dbops.engines.postgresql.dump import (
    Programs,
    Spooled,
    Write,
    dump_globals,
    read_spooled,
)
from dbops.engines.postgresql.units import COPY, DOCUMENT, FILE, TABLE, TEXT, statements_of
from dbops.errors import DbopsError, Failed

JOIN_SECONDS = 5.0  # somebody who waits for a table would wait for the end of the backup

_END = b"\n\\.\n"
# The empty COPY makes psql flush; \echo alone leaves its line in the buffer.
_MARK = b"\n\\echo '\\\\.'\nCOPY (SELECT WHERE false) TO STDOUT;\n"
# A statement that surely fits into the pipe may be sent before the answer to the last one is read.
_SMALL_STATEMENT = 16 << 10

_PSQL = (
    "--no-psqlrc",
    "--quiet",
    "--no-align",
    "--tuples-only",
    "--no-password",
    "--set=ON_ERROR_STOP=1",
    "--set=VERBOSITY=sqlstate",
    "--set=SHOW_CONTEXT=never",
    f"--dbname={conninfo_keepalive()}",
)
_OPENING = (
    "COPY (SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings"
    " WHERE name IN ('transaction_timeout', 'idle_session_timeout')) TO STDOUT;\n"
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"
    "SET TRANSACTION SNAPSHOT {snapshot};\n"
    # A range is a TID range scan, and nothing else, whatever the planner thinks of the table.
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_tidscan = on; SET LOCAL jit = off;\n"
    "SET LOCAL max_parallel_workers_per_gather = 0"
)


@dataclass(frozen=True, slots=True)
class PostgresqlRecipe:
    """How a worker joins the snapshot, and the statements by which it locks every table."""

    programs: Programs
    snapshot: str
    locks: tuple[str, ...]
    superuser: bool
    join_seconds: float = JOIN_SECONDS

    def open(self) -> PostgresqlReader:
        """A reader that has joined the snapshot and holds its locks.

        Raises Unreachable `lock-timeout` where somebody else waits for a table.
        """
        return PostgresqlReader(self)


class PostgresqlReader:
    """One worker's way into the snapshot."""

    def __init__(self, recipe: PostgresqlRecipe) -> None:
        self._recipe = recipe
        self._rows = _RowSource(recipe)

    def read(self, unit: Unit, sink: RangeSink) -> None:
        """Afterwards the sink has all ranges of the unit, whole."""
        kind = unit.spec[0]
        if kind in (TABLE, COPY):
            self._give_rows(unit, sink)
            return
        sink.begin(unit.stream, unit.first, unit.payload)
        if kind == TEXT:
            sink.write(self._recipe.programs.encoding.encode(str(unit.spec[1])))
        elif kind == DOCUMENT:
            sink.write(str(unit.spec[1]).encode())
        elif kind == FILE:
            read_spooled(Spooled(str(unit.spec[1]), int(unit.spec[2])), sink.write)
        else:
            sink.write(dump_globals(self._recipe.programs, passwords=self._recipe.superuser))
        sink.end()

    def close(self) -> None:
        """Its child is gone."""
        self._rows.close()

    def _give_rows(self, unit: Unit, sink: RangeSink) -> None:
        answers = self._rows.answers(statements_of(unit), f"reading {unit.stream}")
        for index, answer in enumerate(answers, unit.first):
            sink.begin(unit.stream, index, unit.payload)
            answer(sink.write)
            sink.end()


Answer = Callable[[Write], None]
"""Writes the rows of one range; called exactly once, and before the next one."""


class _RowSource:
    """A psql in the snapshot's transaction."""

    def __init__(self, recipe: PostgresqlRecipe) -> None:
        self._encoding = recipe.programs.encoding
        self._left = b""
        self._child: Child = start_child(
            recipe.programs.directory / "psql",
            _PSQL,
            recipe.programs.parameters,
            self._encoding,
            doing="joining the snapshot",
            with_input=True,
            lock_seconds=recipe.join_seconds,
        )
        try:
            opening = _OPENING.format(snapshot=literal(recipe.snapshot))
            self._ask(";\n".join((opening, *recipe.locks)))
            self._answer(lambda _: None)
        except DbopsError as failure:
            self._child.kill()
            raise _gone(failure) from None
        except BaseException:
            self._child.kill()
            raise

    def answers(self, statements: Iterable[str], doing: str) -> Iterator[Answer]:
        """The answer to each statement in turn; the next one is asked for while one is read."""
        self._child.doing = doing
        waiting = chain(statements, (None,))
        asked = next(waiting)
        if asked is not None:
            self._ask(asked)
        for following in waiting:
            ahead = following is not None and len(following) < _SMALL_STATEMENT
            if following is not None and ahead:
                self._ask(following)
            yield partial(self._answer)
            if following is not None and not ahead:
                self._ask(following)

    def close(self) -> None:
        self._child.kill()

    def _ask(self, statement: str) -> None:
        self._child.write(self._encoding.encode(statement) + b";" + _MARK)

    def _answer(self, write: Write) -> None:
        left = pass_range(self._left, self._child.read, write)
        if left is None:
            raise self._child.fault()
        self._left = left


def _gone(failure: DbopsError) -> DbopsError:
    """What the server says of an unknown snapshot is a parameter error, or a missing object."""
    if failure.code not in ("server-error", "object-missing"):
        return failure
    return Failed(
        "snapshot-lost",
        "joining the snapshot: the snapshot does not exist any more",
        hint="run the command again; no backup was made",
    )


def pass_range(left: bytes, read: Callable[[], bytes], write: Write) -> bytes | None:
    """All lines before the next end mark were written; returns what was read behind the mark.

    `left` is what an earlier call returned; `read` yields the next block, empty at the end. Blocks
    may be cut anywhere. Returns None where the output ended without a mark: then what was written
    is no range. No more than two blocks are held, however long a line is.
    """
    pending, sent = b"\n" + left, 1  # as if a line had ended just before
    while (end := pending.find(_END)) < 0:
        keep = len(_END) - 1
        if len(pending) - keep > sent:
            write(pending[sent:-keep])
            pending, sent = pending[-keep:], 0
        block = read()
        if not block:
            return None
        pending += block
    if end + 1 > sent:
        write(pending[sent : end + 1])
    return pending[end + len(_END) :]
