"""What the doctor asks of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from dbops.doctor.finding import Finding


@runtime_checkable
class Inspectable(Protocol):
    """A database that can be looked at without being backed up."""

    def inspect(self) -> Sequence[Finding]:
        """Whether it can be reached, read whole and copied; names and counts, never a row value.

        Changes nothing. Raises DbopsError where it cannot be looked at any further.
        """
        ...
