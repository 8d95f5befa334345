"""Whether a row is still as a repair left it, and what to say where it is not; pure.

Rows are compared by the exact bytes of every column. What is said names tables, columns and
counts, and never a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from dbops.errors import Refused
from dbops.repair.table import Row, TableName


class State(StrEnum):
    """What is there now, beside what the repair left; the values complete "3 rows …"."""

    AS_LEFT = "as the repair left them"
    AS_BEFORE = "as before the repair"
    CHANGED = "changed since"
    GONE = "gone"
    BACK = "there again, and different"  # the repair had deleted it


def state_of(before: Row | None, after: Row | None, now: Row | None) -> State:
    """Return what became of the row that a repair took from `before` to `after`."""
    if now == after:
        return State.AS_LEFT
    if now == before:
        return State.AS_BEFORE
    if now is None:
        return State.GONE
    return State.BACK if after is None else State.CHANGED


class Conflicts:
    """Counts what stands against an undo, by table."""

    def __init__(self) -> None:
        self._states: dict[TableName, Counter[State]] = {}
        self._columns: dict[TableName, Counter[str]] = {}

    def see(
        self,
        table: TableName,
        columns: Sequence[str],
        before: Row | None,
        after: Row | None,
        now: Row | None,
    ) -> State:
        """Count one row whose columns have these names; return what became of it."""
        state = state_of(before, after, now)
        if state is not State.AS_LEFT:
            self._states.setdefault(table, Counter())[state] += 1
        if state is State.CHANGED and after is not None and now is not None:
            pairs = zip(columns, after, now, strict=True)
            changed = self._columns.setdefault(table, Counter())
            changed.update(name for name, left, found in pairs if left != found)
        return state

    @property
    def counts(self) -> dict[State, int]:
        """How many rows are in each state but the one that allows the undo."""
        total: Counter[State] = Counter()
        for found in self._states.values():
            total += found
        return dict(total)

    def refuse_any(self, work: str) -> None:
        """Raise Refused where a row is not as the repair left it.

        `undo-already` where all such rows are as before the repair, else `undo-conflict`.
        """
        if not self._states:
            return
        told = "; ".join(self._told(table) for table in sorted(self._states))
        if set(self.counts) == {State.AS_BEFORE}:
            raise Refused(
                "undo-already",
                f"{work} has been undone already: {told}",
                hint=f"see what ran: dbops audit log --work {work}",
            )
        raise Refused(
            "undo-conflict",
            f"{work} cannot be undone, nothing was changed: {told}",
            hint="somebody worked on these rows since; write a new repair for what is still wrong",
        )

    def _told(self, table: TableName) -> str:
        found = self._states[table]
        return f"{table}: " + ", ".join(
            f"{rows_text(found[state])} {state}{self._named(table, state)}"
            for state in State
            if found[state]
        )

    def _named(self, table: TableName, state: State) -> str:
        if state is not State.CHANGED:
            return ""
        return f" (in {', '.join(sorted(self._columns[table]))})"


def rows_text(count: int) -> str:
    """As in "1 row" and "2 rows"."""
    return f"{count} row" if count == 1 else f"{count} rows"
