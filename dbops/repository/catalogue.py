"""The text of a catalogue: one JSON value a line, in the order of FORMAT.md.

A stream's line comes before its ranges; a range is an array, because there may be a million. The
last line counts the others, so that a cut catalogue cannot pass for a whole one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from pydantic import ConfigDict

from dbops.errors import Failed
from dbops.repository.codec import STRICT, Digest, decode_line, encode_line
from dbops.repository.frames import Payload
from dbops.repository.manifest import Catalogue, CatalogueHead, Facts, Gap
from dbops.repository.ranges import Proof, StoredRange, Stream

CATALOGUE_FORMAT: Literal["dbops-catalogue/1"] = "dbops-catalogue/1"


class _RangeRow(NamedTuple):
    number: int
    pack: Digest
    offset: int
    length: int
    digest: Digest
    records: int
    size: int
    total: Digest


@dataclass(frozen=True, slots=True)
class _StreamLine:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    stream: str
    payload: Payload
    detail: dict[str, str]
    ranges: int


@dataclass(frozen=True, slots=True)
class _TableLine:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    table: str
    proof: Proof


@dataclass(frozen=True, slots=True)
class _FactLine:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    section: str
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class _GapLine:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    gap: Gap


@dataclass(frozen=True, slots=True)
class _EndLine:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    lines: int


def write_lines(
    head: CatalogueHead,
    streams: Iterable[Stream],
    tables: dict[str, Proof],
    facts: Facts,
    gaps: Iterable[Gap],
) -> Iterator[bytes]:
    """The lines of a catalogue, one after another."""
    count = 0
    for line in _lines(head, streams, tables, facts, gaps):
        count += 1
        yield line
    yield encode_line(_EndLine(count))


def _lines(
    head: CatalogueHead,
    streams: Iterable[Stream],
    tables: dict[str, Proof],
    facts: Facts,
    gaps: Iterable[Gap],
) -> Iterator[bytes]:
    yield encode_line(head)
    for stream in streams:
        yield encode_line(
            _StreamLine(stream.name, stream.payload, stream.detail, len(stream.ranges))
        )
        for part in stream.ranges:
            yield encode_line(_row(part))
    for name, proof in sorted(tables.items()):
        yield encode_line(_TableLine(name, proof))
    for section, named in sorted(facts.items()):
        yield encode_line(_FactLine(section, named))
    for gap in gaps:
        yield encode_line(_GapLine(gap))


def _row(part: StoredRange) -> list[int | str]:
    proof = part.proof
    row = _RangeRow(
        part.index,
        part.pack,
        part.offset,
        part.length,
        part.digest,
        proof.records,
        proof.bytes,
        proof.sum,
    )
    return list(row)


def read_lines(lines: Iterable[bytes], title: str) -> Catalogue:
    """The catalogue that the lines hold; raises Failed for anything but a whole one."""
    source = _Lines(iter(lines), title)
    head = decode_line(CatalogueHead, source.next(), title)
    streams: list[Stream] = []
    tables: dict[str, Proof] = {}
    facts: Facts = {}
    gaps: list[Gap] = []
    while True:
        line = source.next()
        match source.kind(line):
            case "stream":
                stream = source.stream(decode_line(_StreamLine, line, title))
                source.refuse_second("stream", stream.name)
                streams.append(stream)
            case "table":
                table = decode_line(_TableLine, line, title)
                source.refuse_second("table", table.table)
                tables[table.table] = table.proof
            case "section":
                fact = decode_line(_FactLine, line, title)
                source.refuse_second("section", fact.section)
                facts[fact.section] = fact.facts
            case "gap":
                gaps.append(decode_line(_GapLine, line, title).gap)
            case "lines":
                source.finish(decode_line(_EndLine, line, title).lines)
                return Catalogue(head, tuple(streams), tables, facts, tuple(gaps))
            case _:
                raise source.broken("a line of an unknown kind")


_KINDS = ("stream", "table", "section", "gap", "lines")


class _Lines:
    """Counts lines while they are read."""

    def __init__(self, lines: Iterator[bytes], title: str) -> None:
        self._lines = lines
        self._title = title
        self._count = 0
        self._seen: set[tuple[str, str]] = set()

    def refuse_second(self, kind: str, name: str) -> None:
        """Raise Failed where the same thing was there before: one would hide the other."""
        if (kind, name) in self._seen:
            raise self.broken("it says the same thing twice")
        self._seen.add((kind, name))

    def next(self) -> bytes:
        line = next(self._lines, None)
        if line is None:
            raise self.broken("the end is missing")
        self._count += 1
        return line

    def kind(self, line: bytes) -> str | None:
        try:
            item = json.loads(line)
        except ValueError:
            raise self.broken("a line that is not JSON") from None
        return next((kind for kind in _KINDS if isinstance(item, dict) and kind in item), None)

    def stream(self, line: _StreamLine) -> Stream:
        ranges = tuple(self._range(number) for number in range(line.ranges))
        if line.payload is Payload.DELTA:
            raise self.broken("a delta stream, which this version cannot read")
        return Stream(line.stream, line.payload, line.detail, ranges)

    def _range(self, number: int) -> StoredRange:
        row = decode_line(_RangeRow, self.next(), self._title)
        if row.number != number:
            raise self.broken("a range that stands out of its order")
        proof = Proof(row.records, row.size, row.total)
        return StoredRange(row.number, row.pack, row.offset, row.length, row.digest, proof)

    def finish(self, promised: int) -> None:
        if promised != self._count - 1 or next(self._lines, None) is not None:
            raise self.broken("its end counts other lines")

    def broken(self, reason: str) -> Failed:
        return Failed(
            "catalogue-malformed",
            f"{self._title} is malformed: {reason} (line {self._count})",
            hint="dbops backup verify --all --level stored names every damaged object",
        )
