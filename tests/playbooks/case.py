"""What the test of one playbook consists of: a small hospital, settings, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from dbops.repair.head import RepairHead
from dbops.repair.manifest import Repair
from dbops.repair.manifest_text import parse_repair, script_of
from dbops.repair.payload import Payload, RowSet
from dbops.repair.playbook import Playbook, instantiate
from dbops.repair.shelf import find_playbook
from dbops.review.work import PAYLOAD, Kind, Work
from dbops.sql.statement import Statement

SHELF = Path(__file__).parents[2] / "playbooks"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One playbook on a hospital's tables, in SQL that both engines read.

    `look` are queries with their rows before and after the repair. `wrong` are settings, or sealed
    values, with which it must be refused, and the code of the refusal.
    """

    playbook: str
    schema: tuple[str, ...]
    look: Mapping[str, tuple[list[tuple[object, ...]], list[tuple[object, ...]]]]
    settings: Mapping[str, str]
    writes: tuple[str, ...]
    reads: tuple[str, ...] = ()
    sealed: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, RowSet] = field(default_factory=dict)
    wrong: tuple[tuple[Mapping[str, str], str], ...] = ()

    def __str__(self) -> str:
        """The test's name."""
        return self.playbook

    def read(self) -> Playbook:
        """The playbook as it is shipped."""
        found = find_playbook(self.playbook, [SHELF]).playbook
        assert found is not None
        return found

    def payload(self, changed: Mapping[str, str] | None = None) -> Payload | None:
        """What is sealed; None where nothing is."""
        values = {**self.sealed, **(changed or {})}
        return Payload(values, self.rows) if values or self.rows else None

    def repair(self, changed: Mapping[str, str] | None = None) -> tuple[Repair, list[Statement]]:
        """An instance of the playbook, read back from its files."""
        head = RepairHead(
            id=f"2026-117-{self.playbook}",
            author="zhang.wei",
            database="his",
            ticket="T-2026-117",
            opened=date(2026, 11, 20),
            clocks=("data-error",),
            cause="the interface kept the old map",
            fix="T-2026-120",
        )
        files = instantiate(self.read(), {**self.settings, **(changed or {})}, head)
        if self.payload() is not None:
            files[PAYLOAD] = b"sealed"
        work = Work(Kind.REPAIR, head.id, f"repairs/{head.id}", files)
        return parse_repair(work), list(script_of(work))
