"""What is to be run, on what, and what it must come to; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dbops.change.diff import Difference
from dbops.change.lock_plan import RehearsedLocks, lock_plan, unrehearsed_locks
from dbops.change.manifest import Change
from dbops.change.ports import Lock, SessionOrder
from dbops.change.schema import Schema
from dbops.change.standing import Author
from dbops.change.step import Direction, Part, Step
from dbops.review.policy_document import FailedVerify

Ends = Mapping[tuple[Direction, int], tuple[Difference, ...]]


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a rehearsal saw.

    `source` is the schema of the database itself when the backup was taken, `differences` what
    up.sql came to on the copy, where a server may print the same thing in other words. `locks` are
    what each step locked there, `ends` what differed from the start when a part had ended and
    another followed, by the direction and the last step of the part.
    """

    source: Schema
    differences: tuple[Difference, ...]
    locks: RehearsedLocks = field(default_factory=dict)
    ends: Ends = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRun:
    """A reviewed change on one database, once.

    `plan` is the digest of the reviewed files that no rehearsal makes, `run` a new uuid (32 hex
    digits), `database` the alias and `identity` the engine's own identity of the database that was
    approved. `rehearsed` is None where the policy asks for no evidence: then nothing says what the
    schema is to be before, and afterwards `touches` alone say what may differ. `required_by` are
    the ids of all changes whose manifests require this one. `approval` is the sha256 of the signed
    request that allows it, empty where the policy asks for none. `measured` says that this is the
    rehearsal, which wants to know what each step locks, `resumed` that it began in an earlier run:
    between the two anybody may have altered the schema.
    """

    change: Change
    up: tuple[Step, ...]
    down: tuple[Step, ...]
    verify: tuple[Step, ...]
    plan: str
    run: str
    database: str
    identity: str
    rehearsed: Rehearsed | None
    on_failed_verify: FailedVerify = FailedVerify.STOP
    required_by: tuple[str, ...] = field(default=())
    approval: str = ""
    measured: bool = False
    resumed: bool = False

    @property
    def work(self) -> str:
        """The id of the change."""
        return self.change.id

    @property
    def author(self) -> Author:
        """Whose journal entries these are."""
        return Author(self.run, self.change.id, self.plan, self.approval)

    @property
    def scripts(self) -> dict[Direction, tuple[Step, ...]]:
        """The steps of both directions."""
        return {Direction.UP: self.up, Direction.DOWN: self.down}

    def locks_of(self, direction: Direction, part: Part) -> tuple[Lock, ...]:
        """Return the locks that a transaction takes first.

        Where it was not rehearsed those of what is to be dropped; a rehearsal itself takes none.
        """
        if self.rehearsed is not None:
            return lock_plan(self.rehearsed.locks, direction, part)
        return () if self.measured else unrehearsed_locks(self.change.touches, direction, part)

    def session(self, *, read_only: bool = False) -> SessionOrder:
        """Return how a session for this run is opened."""
        return SessionOrder(
            work=self.change.id,
            lock_wait=self.change.limits.lock_wait,
            statement=self.change.limits.statement,
            identity=self.identity,
            read_only=read_only,
            measured=self.measured,
            start=None if self.rehearsed is None else self.rehearsed.source,
        )
