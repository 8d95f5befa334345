"""The bundles of one run as one: what became of each row from before the first to after the last.

Bundles ascend by table and key, so they are merged in bounded memory, again at each pass.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Final

from dbops.errors import Refused
from dbops.repair.bundle import Bundle, BundleHeader
from dbops.repair.manifest import UndoOf
from dbops.repair.table import Change

MOST: Final = 128  # all are open at once, with a thread each
_Place = tuple[int, tuple[bytes, ...]]


class BundleUnion:
    """The bundles that an undo names, in the order in which they were written.

    Iterating yields `(table index, Change)`, ascending, each row once, and any number of times.
    What a pass says holds only when it has ended: a bundle may prove damaged at its end.
    """

    def __init__(self, undo_of: UndoOf, bundles: Sequence[Bundle]) -> None:
        """Take the opened bundles; raises Refused `undo-bundles` where they are not one run's."""
        self._work = undo_of.work
        self.headers = tuple(bundle.header for bundle in bundles)
        self.sha256s = undo_of.bundles
        self._bundles = tuple(bundles)
        if not bundles or len(bundles) != len(undo_of.bundles):
            raise self._refused("not every bundle that it names is at hand")
        if len(bundles) > MOST:
            raise Refused(
                "undo-bundles",
                f"the undo of {self._work} names {len(bundles)} bundles, and {MOST} are the most",
                hint="undo the last batches first, and the ones before by another undo",
            )
        first = self.headers[0]
        for header in self.headers:
            if header.work != undo_of.work:
                raise self._refused("a bundle is of another piece of work")
            if _same_run(header) != _same_run(first):
                raise self._refused("its bundles are not of one run on one database")
        batches = [header.batch for header in self.headers]
        if batches != sorted(set(batches)):
            raise self._refused("its bundles are not in the order of their batches")

    @property
    def header(self) -> BundleHeader:
        """The first header: what all of them say of the database and the tables."""
        return self.headers[0]

    def __iter__(self) -> Iterator[tuple[int, Change]]:
        if len(self._bundles) == 1:
            yield from self._bundles[0]
            return
        streams = [_stream(number, bundle) for number, bundle in enumerate(self._bundles)]
        for place, group in groupby(heapq.merge(*streams, key=itemgetter(0, 1)), itemgetter(0)):
            change = self._joined([one[2] for one in group])
            if change.before != change.after:
                yield place[0], change

    def _joined(self, changes: Sequence[Change]) -> Change:
        """One row in several batches: each must have found what the one before it left."""
        for earlier, later in pairwise(changes):
            if earlier.after != later.before:
                raise Refused(
                    "undo-conflict",
                    f"{self._work} cannot be undone: somebody changed a row between two batches",
                    hint="write a new repair for what is still wrong",
                )
        return Change(changes[0].key, changes[0].before, changes[-1].after)

    def _refused(self, why: str) -> Refused:
        return Refused(
            "undo-bundles",
            f"the undo of {self._work} cannot begin: {why}",
            hint=f"make the undo again: dbops repair new --undo {self._work}",
        )


def _stream(number: int, bundle: Bundle) -> Iterator[tuple[_Place, int, Change]]:
    for index, change in bundle:
        yield (index, change.key), number, change


def _same_run(header: BundleHeader) -> tuple[object, ...]:
    """What the bundles of one run have in common."""
    tables = tuple((one.table, one.columns, one.key, one.schema) for one in header.tables)
    return header.plan, header.kind, header.identity, header.encoding, tables
