"""What an author says of a repair, whatever it is made from; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from dbops.repair.manifest_writing import Tree
from dbops.review.work import Kind, Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairHead:
    """The first lines of a manifest; None for what was not said.

    `opened` is the day of the ticket. `clocks` are names of the estate's, `cause` and `fix` texts.
    """

    id: str
    author: str
    database: str
    title: str | None = None
    ticket: str | None = None
    risk: Risk | None = None
    opened: date | None = None
    clocks: tuple[str, ...] = ()
    cause: str | None = None
    fix: str | None = None

    @property
    def tree(self) -> dict[str, Tree]:
        """The keys of the manifest that say this, in its order."""
        found: dict[str, Tree | None] = {
            "dbops": f"{Kind.REPAIR.value}/v1",
            "id": self.id,
            "title": self.title,
            "author": self.author,
            "ticket": self.ticket,
            "risk": None if self.risk is None else self.risk.value,
            "databases": (self.database,),
            "opened": None if self.opened is None else self.opened.isoformat(),
            "clocks": self.clocks or None,
            "cause": self._cause,
        }
        return {key: tree for key, tree in found.items() if tree is not None}

    @property
    def _cause(self) -> Mapping[str, Tree] | None:
        if self.cause is None:
            return None
        return {"found": self.cause} | ({"fix": self.fix} if self.fix else {})
