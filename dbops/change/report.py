"""What a run says of itself: steps, times, locks and differences of the schema; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby

from dbops.change.diff import Difference
from dbops.change.ports import StepEffect
from dbops.change.schema import ObjectName, Schema
from dbops.change.step import Direction, Step
from dbops.change.touch import Touch
from dbops.sql.written import Written


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step that is done. `attempts` is how often its part was begun.

    `held` is how many seconds passed from the first step of its transaction to COMMIT; `part` is
    the number of that step, its own where it stands outside of any. `written` is what the whole
    part wrote; None where nobody counted.
    """

    step: Step
    effect: StepEffect
    alone: bool
    attempts: int
    held: float = 0.0
    part: int = 0
    written: Mapping[ObjectName, Written] | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """How long the locks of a transaction, or of a step outside of any, were held, in seconds.

    From its `first` step, before which its locks are asked for, until it ended: what the steps
    `first` to `last` did, verify.sql and the judgement are in it.
    """

    first: int
    last: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeReport:
    """One direction of a change that is done and judged.

    `steps` are those that this run did: of one that was resumed, not those before. `differences`
    are what came of all of them, `unseen` the touches of which none is. `after` is the schema as
    it was judged; `seconds` includes waiting for locks. `drift` is what differs still from what is
    recorded since: it was there before. `ends` are of a rehearsal: what differed from the start
    when a part had ended behind which others came, by its last step.
    """

    run: str
    work: str
    plan: str
    database: str
    direction: Direction
    server: str
    steps: tuple[StepReport, ...]
    differences: tuple[Difference, ...]
    unseen: tuple[Touch, ...] = ()
    before: Schema = field(repr=False)
    after: Schema = field(repr=False)
    seconds: float = 0.0
    drift: tuple[Difference, ...] = ()
    ends: Mapping[int, tuple[Difference, ...]] = field(default_factory=dict, repr=False)

    @property
    def attempts(self) -> int:
        """The most that any part was begun."""
        return max((each.attempts for each in self.steps), default=1)

    @property
    def held(self) -> tuple[Held, ...]:
        """How long the locks of each part were held, of those that locked anything."""
        return tuple(
            Held(part[0].step.number, part[-1].step.number, part[0].held)
            for part in self._parts
            if any(each.effect.locks for each in part)
        )

    @property
    def written(self) -> Mapping[ObjectName, Written] | None:
        """What all parts wrote, by table; None where nobody counted."""
        found: dict[ObjectName, Written] = {}
        for first, *_ in self._parts:
            if first.written is None:
                return None
            for table, rows in first.written.items():
                found[table] = found.get(table, Written()) + rows
        return found

    @property
    def _parts(self) -> list[tuple[StepReport, ...]]:
        return [tuple(part) for _, part in groupby(self.steps, lambda each: each.part)]

    @property
    def digest(self) -> str:
        """The digest of the schema afterwards."""
        return self.after.digest
