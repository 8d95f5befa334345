"""Two readings of one set of rows, merged into what became of each row.

A row of the first reading that the second lacks may be deleted or may only have stopped matching
the predicate: it is looked up by its key. A row that only the second has was inserted, or its key
was changed, or it began to match; the engine's counters tell these apart (`judgement`).

    for seen in changes(before, after, fetch):
        tally.add(seen)
        for change in seen.changes: writer.add(index, change)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from dbops.errors import Failed
from dbops.repair.table import Change, KeyedRow, size_of

BATCH_ROWS: Final = 1000
BATCH_BYTES: Final = 8 << 20

Order = tuple[bytes, ...]
Fetch = Callable[[Sequence[Order]], list[KeyedRow]]


class Seen(NamedTuple):
    """What one stretch of the two readings showed.

    `changes` are the rows that differ. `before` and `after` count the rows of each reading, `own`
    the rows that are there afterwards, looked up or read, and were written by this transaction.
    `unwritten` are the rows of `changes` that are there afterwards and that it did not write: the
    predicate came to hold for them because of something else.
    """

    changes: tuple[Change, ...]
    before: int
    after: int
    own: int
    unwritten: int


def changes(before: Iterable[KeyedRow], after: Iterable[KeyedRow], fetch: Fetch) -> Iterator[Seen]:
    """Yield every row that differs, ascending by key, each once, in stretches.

    `fetch` returns those of the rows with the given orders that are there now; it is asked for at
    most 1000 rows at once, and fewer where rows are long. Memory holds one stretch: 1000 rows or
    8 MiB. Raises Failed `reading-order` where a reading does not ascend strictly, or where `fetch`
    returns what it was not asked for: then no comparison means anything.
    """
    stretch = _Stretch()
    pace = _Pace()
    for old, new in _merged(_ascending(before), _ascending(after)):
        stretch.add(old, new)
        if stretch.weight >= BATCH_BYTES or len(stretch.missing) >= pace.rows:
            yield stretch.close(fetch, pace)
            stretch = _Stretch()
    yield stretch.close(fetch, pace)


class _Pace:
    """How many rows to look up at once: few until it is known how long they are."""

    def __init__(self) -> None:
        self.rows = 1

    def learn(self, found: int, size: int) -> None:
        """Take what the last rows weighed: they must fit, and may grow twofold at once."""
        fit = BATCH_BYTES * found // size if size else BATCH_ROWS
        self.rows = max(1, min(BATCH_ROWS, 2 * self.rows, fit))


class _Stretch:
    """Differences that are gathered until they are worth a round trip."""

    def __init__(self) -> None:
        self.missing: list[KeyedRow] = []
        self.weight = 0  # bytes, and for each row as many that 1000 rows fill the stretch
        self._changes: list[Change] = []
        self._before = 0
        self._after = 0
        self._own = 0
        self._unwritten = 0

    def add(self, old: KeyedRow | None, new: KeyedRow | None) -> None:
        """Take one key's row of each reading."""
        if old is not None:
            self._before += 1
        if new is not None:
            self._after += 1
            self._own += new.own
        if old is None or new is None:
            self._add_lone(old, new)
        elif old.row != new.row:
            self._unwritten += not new.own
            self._gather(Change(old.order, old.row, new.row), size_of(old.row) + size_of(new.row))

    def _add_lone(self, old: KeyedRow | None, new: KeyedRow | None) -> None:
        if old is not None:
            self.missing.append(old)
            # A deletion, until the row is found after all.
            self._gather(Change(old.order, old.row, None), size_of(old.row))
        elif new is not None:
            self._unwritten += not new.own
            self._gather(Change(new.order, None, new.row), size_of(new.row))

    def _gather(self, change: Change, size: int) -> None:
        self._changes.append(change)
        self.weight += size + BATCH_BYTES // BATCH_ROWS + 1

    def close(self, fetch: Fetch, pace: _Pace) -> Seen:
        """Look up what is missing; returns the stretch."""
        if self.missing:
            found = _found(fetch, [row.order for row in self.missing])
            pace.learn(len(found), sum(size_of(row.row) for row in found.values()))
            self._own += sum(row.own for row in found.values())
            self._changes = list(self._settled(found))
        changes = tuple(self._changes)
        return Seen(changes, self._before, self._after, self._own, self._unwritten)

    def _settled(self, found: Mapping[Order, KeyedRow]) -> Iterator[Change]:
        """What was looked up is an update, or no change at all."""
        for change in self._changes:
            now = found.get(change.key) if change.after is None else None
            if now is None:
                yield change
            elif now.row != change.before:
                self._unwritten += not now.own
                yield Change(change.key, change.before, now.row)


def _found(fetch: Fetch, orders: list[Order]) -> dict[Order, KeyedRow]:
    rows = fetch(orders)
    found = {row.order: row for row in rows}
    if len(found) < len(rows) or not found.keys() <= set(orders):
        raise _disorder("rows that were looked up are others than those asked for")
    return found


def _merged(
    before: Iterator[KeyedRow], after: Iterator[KeyedRow]
) -> Iterator[tuple[KeyedRow | None, KeyedRow | None]]:
    old, new = next(before, None), next(after, None)
    while old is not None and new is not None:
        if old.order == new.order:
            yield old, new
            old, new = next(before, None), next(after, None)
        elif old.order < new.order:
            yield old, None
            old = next(before, None)
        else:
            yield None, new
            new = next(after, None)
    while old is not None:
        yield old, None
        old = next(before, None)
    while new is not None:
        yield None, new
        new = next(after, None)


def _ascending(rows: Iterable[KeyedRow]) -> Iterator[KeyedRow]:
    last: Order = ()
    for row in rows:
        if row.order <= last:
            raise _disorder("rows of a reading do not ascend by their key")
        last = row.order
        yield row


def _disorder(message: str) -> Failed:
    return Failed(
        "reading-order",
        f"{message}, so before and after cannot be compared",
        hint="nothing was changed; please report this with the table's definition",
    )
