"""What was not valid before a step outside of a transaction began, whoever began it.

DROP INDEX CONCURRENTLY first makes the index one that is not valid, for good, and waits then for
all who may read it. So an index that is not valid has been dropped half, or was that way before:
somebody's attempt to build it had failed. Only what was seen before the step began tells.
https://www.postgresql.org/docs/current/sql-dropindex.html
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dbops.change.ports import JournalEntry, Progress, SessionOrder
from dbops.change.schema import ObjectKind, ObjectName
from dbops.change.step import Direction, Step
from dbops.engines.postgresql.change_counting import invalid_indexes
from dbops.engines.postgresql.change_journal import read_journal
from dbops.engines.postgresql.change_words import target_of
from dbops.engines.postgresql.connect import Session


class Before:
    """The indexes that were not valid before; made when the session is opened, told what it notes.

    `opened` are those of that moment, by OID.
    """

    def __init__(self, session: Session, order: SessionOrder) -> None:
        self._session = session
        self._order = order
        self._noted: set[str] = set()
        self.opened = frozenset(invalid_indexes(session))

    def noted(self, entries: Sequence[JournalEntry]) -> None:
        """Afterwards it is known which steps began in this session, behind its opening."""
        self._noted.update(each.sha256 for each in entries if each.progress is Progress.BEGAN)

    def invalid(self, step: Step) -> Collection[int]:
        """Return the indexes that were not valid before the step's first attempt, by OID.

        Of one that an earlier session began the schema at the start of the change tells. Where
        nobody knows that, or the step is of the way back, its index counts as valid before.
        """
        last = self._last_of_earlier() if self.opened else None
        if last is None or (last.sha256, last.progress) != (step.digest, Progress.BEGAN):
            return self.opened
        known = last.direction is Direction.UP and self._was_invalid(step)
        return self.opened if known else ()

    def _last_of_earlier(self) -> JournalEntry | None:
        """The last row of the change, unless this session wrote that a step began."""
        own = [each for each in read_journal(self._session) if each.work == self._order.work]
        return own[-1] if own and own[-1].sha256 not in self._noted else None

    def _was_invalid(self, step: Step) -> bool:
        if self._order.start is None:
            return False
        name = target_of(step).name
        index = self._order.start.objects.get(
            ObjectName(ObjectKind.INDEX, (name.schema, name.name))
        )
        return index is not None and "valid" in index.properties
