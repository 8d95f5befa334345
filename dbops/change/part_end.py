"""What a change has come to where a part of it ends and others follow.

The parts before the last one commit by themselves. So each of them is judged as far as can be
before it does: what others altered meanwhile is found before more is built on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dbops.change.diff import Difference, compare_schemas
from dbops.change.drift import told
from dbops.change.going import Going
from dbops.change.judging import (
    NotAsDeclared,
    refuse_other_effect,
    refuse_unsettled,
    schema_after,
    touched,
)
from dbops.change.ports import ChangeSession
from dbops.change.run_order import ChangeRun
from dbops.change.schema import Schema
from dbops.change.step import Direction
from dbops.errors import Failed, Refused


def refuse_altered_meanwhile(going: Going, look: Callable[[], Schema]) -> None:
    """Raise NotAsDeclared `change-altered` where the schema is not as it was `seen` last.

    Before a part that drops something: what others have added to that since would go with it, and
    no comparison behind it would tell.
    """
    if going.seen is None:
        return
    found = compare_schemas(going.seen, look())
    if found:
        order = going.order
        raise NotAsDeclared(
            "change-altered",
            f"{order.database} was altered by others while {order.work} was on its way:"
            f" {told(found)}",
            hint="look at it, and bring it back; see how it stands: dbops change list",
        )


@dataclass(slots=True)
class PartEnds:
    """The ends of the parts of a direction, compared with the schema at the `start` of the change.

    Without a start there is nothing to compare, and so it is where no rehearsal saw the end; but
    a rehearsal itself keeps in `found`, by the last step of the part, what differed there.
    """

    order: ChangeRun
    direction: Direction
    start: Schema | None = field(repr=False)
    found: dict[int, tuple[Difference, ...]] = field(default_factory=dict)

    def judge(self, session: ChangeSession, step: int) -> Schema | None:
        """Afterwards it is known, inside of a transaction that ends with the step, that it may.

        Returns the schema where it was read. Constraints hold, but for what a later part ends, and
        the schema is as `compare` says. Raises NotAsDeclared `change-constraints`, the code of what
        the server did not allow, `schema-unknown`, and as `compare`.
        """
        order = self.order
        try:
            refuse_unsettled(order, session, whole=False)
            return self.compare(step, lambda: schema_after(order, session))
        except NotAsDeclared:
            raise
        except (Refused, Failed) as fault:
            raise NotAsDeclared(fault.code, fault.message, hint=fault.hint) from None

    def compare(
        self, step: int, look: Callable[[], Schema], *, back: bool = False
    ) -> Schema | None:
        """Afterwards the schema is as it was rehearsed where the part ended with the step.

        Returns it where it was looked at. On the way back only what the change touched is compared,
        as at its end. `look` is asked for the schema only where that is known; `back` says that
        what comes next is the way back. Raises NotAsDeclared `change-effect`.
        """
        order, wanted = self.order, self._rehearsed(step)
        if self.start is None or (wanted is None and not order.measured):
            return None
        now = look()
        found = compare_schemas(self.start, now)
        if wanted is None:
            self.found[step] = found
            return now
        down = self.direction is Direction.DOWN
        if down:
            found, wanted = (touched(each, order.change.touches) for each in (found, wanted))
        refuse_other_effect(order, found, wanted, revert=down or back)
        return now

    def _rehearsed(self, step: int) -> tuple[Difference, ...] | None:
        rehearsed = self.order.rehearsed
        return None if rehearsed is None else rehearsed.ends.get((self.direction, step))
