"""Compare a restored copy with what the backup says the source held, at the instant it was taken.

The copy is read by the same code that read the source, from its own server: rows by their sums,
everything else by facts, the schema by the engine. What differs is named, never shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dbops.backup.contents import BackupContents
from dbops.backup.ports import Advance, Engine, Snapshot
from dbops.repository.frames import Payload
from dbops.repository.manifest import Facts
from dbops.repository.ranges import NOTHING, Proof, RangeDigest

WITNESS = "witness"


class SummingSink:
    """A range sink that keeps sums and nothing else."""

    def __init__(self, key: bytes, advance: Advance) -> None:
        self._key = key
        self._advance = advance
        self._open: tuple[str, RangeDigest] | None = None
        self.proofs: dict[str, Proof] = {}

    def begin(self, stream: str, index: int, payload: Payload) -> None:  # noqa: ARG002
        self._open = (stream, RangeDigest(self._key, payload))

    def write(self, block: bytes, /) -> int:
        if self._open is not None:
            self._open[1].feed(block)
            self._advance(len(block))
        return len(block)

    def end(self, records: int | None = None) -> None:
        if self._open is not None:
            stream, digest = self._open
            self.proofs[stream] = self.proofs.get(stream, NOTHING).plus(digest.finish(records)[1])
            self._open = None


def prove(copy: Engine, contents: BackupContents, advance: Advance) -> tuple[str, ...]:
    """Every difference between the restored copy and the backup; empty where they are equal."""
    catalogue = contents.catalogue
    with copy.snapshot() as snapshot:
        found = read_proofs(snapshot, catalogue.key, advance)
        facts = snapshot.facts(witness=WITNESS in catalogue.facts)
        snapshot.confirm()
    return (
        *_compare_tables(catalogue.table_proofs, found),
        *_compare_facts(catalogue.facts, facts),
        *copy.compare_schema(contents),
    )


def read_proofs(snapshot: Snapshot, key: bytes, advance: Advance) -> dict[str, Proof]:
    """The proof of every table of the snapshot, read whole."""
    sink = SummingSink(key, advance)
    plans = [plan for plan in snapshot.streams() if plan.payload is Payload.ROWS]
    reader = snapshot.recipe.open()
    try:
        for plan in plans:
            sink.proofs[plan.name] = NOTHING
            for unit in plan.units:
                reader.read(unit, sink)
    finally:
        reader.close()
    return sink.proofs | snapshot.tables(key)


def _compare_tables(expected: Mapping[str, Proof], found: Mapping[str, Proof]) -> Iterator[str]:
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"table {name}: missing from the restored copy"
        elif name not in expected:
            yield f"table {name}: not in the backup"
        elif expected[name].records != found[name].records:
            yield (f"table {name}: {found[name].records} rows instead of {expected[name].records}")
        elif expected[name] != found[name]:
            yield f"table {name}: rows differ ({expected[name].records} rows on both sides)"


def _compare_facts(expected: Facts, found: Facts) -> Iterator[str]:
    for section in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(section, {}), found.get(section, {})
        for name in sorted(wanted.keys() | there.keys()):
            if name not in there:
                yield f"{section} {name}: missing from the restored copy"
            elif name not in wanted:
                yield f"{section} {name}: not in the backup"
            elif wanted[name] != there[name]:
                yield f"{section} {name}: differs"
