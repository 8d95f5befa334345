"""What is to be run, on what, and what it must come to; pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from dbops.change.diff import Difference
from dbops.change.manifest import Change
from dbops.change.ports import SessionOrder
from dbops.change.schema import Schema
from dbops.change.standing import Author
from dbops.change.step import Direction, Step
from dbops.review.policy_document import FailedVerify


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a rehearsal saw.

    `source` is the schema of the database itself when the backup was taken, `differences` what
    up.sql came to on the copy, where a server may print the same thing in other words.
    """

    source: Schema
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRun:
    """A reviewed change on one database, once.

    `plan` is the digest of the reviewed files that no rehearsal makes, `run` a new uuid (32 hex
    digits), `database` the alias and `identity` the engine's own identity of the database that was
    approved. `rehearsed` is None where the policy asks for no evidence: then nothing says what the
    schema is to be before, and afterwards `touches` alone say what may differ. `required_by` are
    the ids of all changes whose manifests require this one.
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

    @property
    def work(self) -> str:
        """The id of the change."""
        return self.change.id

    @property
    def author(self) -> Author:
        """Whose journal entries these are."""
        return Author(self.run, self.change.id, self.plan)

    @property
    def scripts(self) -> dict[Direction, tuple[Step, ...]]:
        """The steps of both directions."""
        return {Direction.UP: self.up, Direction.DOWN: self.down}

    def session(self, *, read_only: bool = False) -> SessionOrder:
        """Return how a session for this run is opened."""
        return SessionOrder(
            work=self.change.id,
            lock_wait=self.change.limits.lock_wait,
            statement=self.change.limits.statement,
            identity=self.identity,
            read_only=read_only,
        )
