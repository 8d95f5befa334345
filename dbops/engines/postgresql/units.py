"""What a unit of work says to the worker that reads it.

A unit's `spec` begins with what it is: a part of a table, statements of their own, text that is
already there (rows, or a document), a file, or what pg_dumpall writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dbops.backup.ports import Unit
from dbops.engines.postgresql.dump import Spooled
from dbops.engines.postgresql.streams import BLOCKS_PER_RANGE
from dbops.engines.postgresql.tables import Relation, RowStream
from dbops.repository.frames import Payload

TABLE = "table"  # name, columns, condition, ranges of the whole table, first of them here
COPY = "copy"  # one query a range
TEXT = "text"  # the COPY text itself
FILE = "file"  # path and size
GLOBALS = "globals"
DOCUMENT = "document"  # the text itself, in UTF-8

RANGES_PER_UNIT = 64
_BLOCK_BYTES = 8192


def statements_of(unit: Unit) -> Iterator[str]:
    """The COPY statement of each range of a unit of rows."""
    if unit.spec[0] == COPY:
        for query in unit.spec[1:]:
            yield f"COPY ({query}) TO STDOUT"
        return
    _, table, columns, condition, ranges, start = unit.spec
    for place in range(int(start), int(start) + unit.count):
        where = condition or _between(place, int(ranges))
        yield f"COPY (SELECT {columns} FROM ONLY {table} {where}) TO STDOUT"  # noqa: S608 - quoted names


def _between(place: int, ranges: int) -> str:
    """The blocks of one range; the last range of a table has no end."""
    bounds = []
    if place > 0:
        bounds.append(f"ctid >= '({place * BLOCKS_PER_RANGE},0)'::pg_catalog.tid")
    if place < ranges - 1:
        bounds.append(f"ctid < '({(place + 1) * BLOCKS_PER_RANGE},0)'::pg_catalog.tid")
    return f"WHERE {' AND '.join(bounds)}" if bounds else ""


def table_units(stream: RowStream, *, by_tid: bool) -> tuple[Unit, ...]:
    """The units of a stream of rows, its ranges counted on from part to part."""
    units: list[Unit] = []
    first = 0
    for part in stream.parts:
        blocks = stream.blocks.get(part.oid, 0)
        ranged = by_tid and part.heap and not stream.condition
        ranges = max(1, -(-blocks // BLOCKS_PER_RANGE)) if ranged else 1
        units += _part_units(stream, part, first, ranges, blocks)
        first += ranges
    return tuple(units)


def _part_units(
    stream: RowStream, part: Relation, first: int, ranges: int, blocks: int
) -> Iterator[Unit]:
    for start in range(0, ranges, RANGES_PER_UNIT):
        count = min(RANGES_PER_UNIT, ranges - start)
        spec = (TABLE, part.sql, ", ".join(stream.columns), stream.condition, ranges, start)
        weight = blocks * _BLOCK_BYTES * count // ranges
        yield Unit(stream.name, Payload.ROWS, first + start, count, weight, spec)


def query_units(name: str, queries: Sequence[tuple[str, int]]) -> tuple[Unit, ...]:
    """One range for each query, with its weight in bytes; one unit for each."""
    return tuple(
        Unit(name, Payload.ROWS, index, 1, weight, (COPY, query))
        for index, (query, weight) in enumerate(queries)
    )


def text_unit(name: str, text: str) -> Unit:
    """One range whose rows are known already."""
    return Unit(name, Payload.ROWS, 0, 1, len(text), (TEXT, text))


def file_unit(name: str, spooled: Spooled) -> Unit:
    """One range of bytes that wait in a file."""
    spec = (FILE, spooled.path, spooled.size)
    return Unit(name, Payload.OPAQUE, 0, 1, spooled.size, spec)


def globals_unit(name: str) -> Unit:
    """One range that pg_dumpall writes."""
    return Unit(name, Payload.OPAQUE, 0, 1, 0, (GLOBALS,))


def document_unit(name: str, text: str) -> Unit:
    """One range that is a document of dbops' own, in UTF-8 whatever the server's encoding."""
    return Unit(name, Payload.OPAQUE, 0, 1, len(text), (DOCUMENT, text))


def copy_text(rows: Iterable[Sequence[str]]) -> str:
    """Rows as COPY prints them (https://www.postgresql.org/docs/current/sql-copy.html)."""
    return "".join("\t".join(value.translate(_ESCAPED) for value in row) + "\n" for row in rows)


_ESCAPED = str.maketrans(
    {
        "\\": "\\\\",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
    }
)
