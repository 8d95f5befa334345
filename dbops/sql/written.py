"""How many rows were written; pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows were inserted, updated and deleted."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        """All rows that were written."""
        return self.inserted + self.updated + self.deleted

    def __add__(self, other: Written) -> Written:
        return Written(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.deleted + other.deleted,
        )

    def __sub__(self, other: Written) -> Written:
        return Written(
            self.inserted - other.inserted,
            self.updated - other.updated,
            self.deleted - other.deleted,
        )

    def __str__(self) -> str:
        """As errors and reports say it."""
        return f"{self.inserted} inserted, {self.updated} updated, {self.deleted} deleted"
