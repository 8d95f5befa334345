"""The steps of `up.sql`, `down.sql` and `verify.sql`: statements as they were written; pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dbops.review.work import DOWN, UP

VERIFY: Final = "verify.sql"


class Direction(StrEnum):
    """Which way a run goes."""

    UP = "up"
    DOWN = "down"

    @property
    def file(self) -> str:
        """The script of this direction."""
        return UP if self is Direction.UP else DOWN


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, which runs alone, without its semicolon.

    `number` counts from 1 in its file; `name` is what the comment `-- step: …` before it says,
    `step 3` without one; `line` is where the statement begins. `begins` says that the comment is
    `-- part: …`: what stands before is another transaction.
    """

    number: int
    name: str
    sql: str
    line: int
    begins: bool = False

    @property
    def digest(self) -> str:
        """The sha256 of the statement's text, by which the journal knows it."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Part:
    """Steps that take place together or not at all: one transaction, or one step outside of any."""

    steps: tuple[Step, ...]
    alone: bool
