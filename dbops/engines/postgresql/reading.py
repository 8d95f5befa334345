"""Read ranges of a snapshot: rows through a `psql` child, the rest through `pg_dump`.

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
from pathlib import Path

from dbops.backup.ports import RangeSink, Unit
from dbops.engines.postgresql.client import Child, start_child
from dbops.engines.postgresql.connect import Parameters, conninfo_keepalive, literal
from dbops.engines.postgresql.definitions import Definitions, refuse_changed
from dbops.engines.postgresql.encoding import Encoding
from dbops.engines.postgresql.units import DUMP_GLOBALS, DUMP_SCHEMA, TEXT, statements_of
from dbops.errors import DbopsError, Failed

LOCK_SECONDS = 60
MAINTENANCE_DATABASE = "postgres"

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


Write = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class PostgresqlRecipe:
    """How a worker joins the snapshot. `programs` is the directory of psql and pg_dump."""

    parameters: Parameters
    programs: Path
    encoding: Encoding
    snapshot: str
    superuser: bool
    definitions: Definitions

    def open(self) -> PostgresqlReader:
        """A reader; its psql starts with the first rows that are wanted."""
        return PostgresqlReader(self)


class PostgresqlReader:
    """One worker's way into the snapshot."""

    def __init__(self, recipe: PostgresqlRecipe) -> None:
        self._recipe = recipe
        self._rows: _RowSource | None = None

    def read(self, unit: Unit, sink: RangeSink) -> None:
        """Afterwards the sink has all ranges of the unit, whole."""
        kind = unit.spec[0]
        if kind == TEXT:
            self._give_text(unit, sink)
        elif kind in (DUMP_SCHEMA, DUMP_GLOBALS):
            self._give_dump(unit, sink)
        else:
            self._give_rows(unit, sink)

    def close(self) -> None:
        """Its child is gone."""
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    def _give_rows(self, unit: Unit, sink: RangeSink) -> None:
        if self._rows is None:
            self._rows = _RowSource(self._recipe)
        answers = self._rows.answers(statements_of(unit), f"reading {unit.stream}")
        for index, answer in enumerate(answers, unit.first):
            sink.begin(unit.stream, index, unit.payload)
            answer(sink.write)
            sink.end()

    def _give_text(self, unit: Unit, sink: RangeSink) -> None:
        sink.begin(unit.stream, unit.first, unit.payload)
        sink.write(self._recipe.encoding.encode(str(unit.spec[1])))
        sink.end()

    def _give_dump(self, unit: Unit, sink: RangeSink) -> None:
        sink.begin(unit.stream, unit.first, unit.payload)
        if unit.spec[0] == DUMP_SCHEMA:
            self._schema(sink.write)
        else:
            sink.write(self._globals())
        sink.end()

    def _schema(self, write: Write) -> None:
        """A schema that changed meanwhile is the better reason, also where pg_dump has failed."""
        try:
            self._dump("pg_dump", self._schema_arguments(), write)
        except Failed:
            refuse_changed(self._recipe.parameters, self._recipe.definitions)
            raise
        refuse_changed(self._recipe.parameters, self._recipe.definitions)

    def _globals(self) -> bytes:
        """The globals, which are small.

        Roles belong to the server, and a name may be in an encoding that one of its databases
        takes and another one does not: so there are two attempts.
        """
        try:
            return self._globals_through(MAINTENANCE_DATABASE)
        except DbopsError:
            return self._globals_through(self._recipe.parameters.dbname)

    def _globals_through(self, database: str) -> bytes:
        passwords = () if self._recipe.superuser else ("--no-role-passwords",)
        arguments = ("--globals-only", "--encoding=SQL_ASCII", f"--database={database}", *passwords)
        blocks: list[bytes] = []
        self._dump("pg_dumpall", arguments, blocks.append)
        return b"".join(blocks)

    def _dump(self, tool: str, arguments: Iterable[str], write: Write) -> None:
        recipe = self._recipe
        child = start_child(
            recipe.programs / tool,
            (*arguments, "--no-password", f"--dbname={conninfo_keepalive()}"),
            recipe.parameters,
            recipe.encoding,
            doing=f"running {tool}",
            lock_seconds=LOCK_SECONDS,
        )
        try:
            size = 0
            while block := child.read():
                write(block)
                size += len(block)
            child.finish()
        finally:
            child.kill()
        if size == 0:
            raise Failed(
                "dump-empty",
                f"{tool} ended well and wrote nothing",
                hint="run the command again; if it happens twice, check the client tools: "
                "dbops doctor",
            )

    def _schema_arguments(self) -> tuple[str, ...]:
        return (
            "--format=custom",
            "--compress=0",  # the pack compresses
            "--section=pre-data",
            "--section=post-data",
            "--no-blobs",
            f"--snapshot={self._recipe.snapshot}",
            f"--lock-wait-timeout={LOCK_SECONDS}s",
            f"--encoding={self._recipe.encoding.name}",
        )


Answer = Callable[[Write], None]
"""Writes the rows of one range; called exactly once, and before the next one."""


class _RowSource:
    """A psql in the snapshot's transaction."""

    def __init__(self, recipe: PostgresqlRecipe) -> None:
        self._encoding = recipe.encoding
        self._left = b""
        self._child: Child = start_child(
            recipe.programs / "psql",
            _PSQL,
            recipe.parameters,
            recipe.encoding,
            doing="joining the snapshot",
            with_input=True,
        )
        try:
            self._ask(_OPENING.format(snapshot=literal(recipe.snapshot)))
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
