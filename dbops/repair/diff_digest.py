"""One digest for a list of changes: equal under one key where the same rows get the same values.

It is what "equal to what was approved" compares. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from dbops.repair.table import Change, Key, Row, TableName, differing, size_of
from dbops.repair.value_text import PIECE, change_text

_Head = tuple[bytes, tuple[int, ...]]


class DigestedTable:
    """How the changes of one table are put into words."""

    def __init__(self, table: TableName, names: Sequence[str], volatile: Collection[str]) -> None:
        """`names` are those of the columns of a row; the `volatile` ones do not count."""
        self._table = [table.schema, table.name]
        self._names = tuple(names)
        self._volatile = frozenset(volatile)
        self._every = tuple(range(len(self._names)))
        self._heads: dict[tuple[str, tuple[int, ...]], _Head] = {}

    def line(self, change: Change) -> Iterable[bytes]:
        """Return the change's line, unambiguous; that of long rows in pieces.

        Python's own notation of bytes is many times faster than JSON for a few short values.
        """
        head, key, old, new = self._parts(change)
        if size_of((old or ()) + (new or ())) < PIECE:
            return (head + repr((key, old, new)).encode(),)
        return chain((head,), change_text(key, old, new))

    def short_line(self, change: Change) -> bytes:
        """The same for a change whose rows are short, both together below `PIECE`."""
        head, key, old, new = self._parts(change)
        return head + repr((key, old, new)).encode()

    def _parts(self, change: Change) -> tuple[bytes, Key, Row | None, Row | None]:
        """The head of its line, its key, and what counts of both images."""
        key, before, after = change
        if before is None or after is None:
            head, places = self._head("insert" if before is None else "delete", self._every)
        else:
            head, places = self._head("update", differing(before, after))
        old = None if before is None else tuple([before[place] for place in places])
        new = None if after is None else tuple([after[place] for place in places])
        return head, key, old, new

    def _head(self, operation: str, places: tuple[int, ...]) -> _Head:
        """The part that is the same for many rows, and the places of the columns that count."""
        found = self._heads.get((operation, places))
        if found is None:
            kept = tuple(place for place in places if self._names[place] not in self._volatile)
            head = json.dumps([self._table, operation, [self._names[place] for place in kept]])
            found = self._heads[operation, places] = (f"\n{head}\n".encode(), kept)
        return found


class DiffDigest:
    """The digest of changes in the order in which they are added.

    BLAKE2b (RFC 7693), keyed, of two lines for each change: table, operation and names of the
    columns that differ and count, as JSON; and key and these columns' values before and after.
    """

    def __init__(self, tables: Sequence[DigestedTable], key: str) -> None:
        """Begin with no changes; `key` is 32 bytes in hex."""
        self._hash = hashlib.blake2b(digest_size=32, key=bytes.fromhex(key))
        self._tables = tuple(tables)

    def add(self, index: int, change: Change) -> None:
        """Take the next change, of the table at this place."""
        for piece in self._tables[index].line(change):
            self._hash.update(piece)

    def add_short(self, index: int, changes: Iterable[Change]) -> None:
        """Take the next changes, all of the table at this place and with short rows."""
        self._hash.update(b"".join(map(self._tables[index].short_line, changes)))

    def hexdigest(self) -> str:
        """Return the digest of what was added so far."""
        return self._hash.hexdigest()
