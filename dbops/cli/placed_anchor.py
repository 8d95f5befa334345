"""An anchor in a directory that must be there already: a disk that is away is not an empty one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dbops.errors import Unreachable

if TYPE_CHECKING:
    from dbops.audit.anchor import Anchor
    from dbops.audit.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class PlacedAnchor:
    """The anchor in `path`; both methods raise Unreachable where that is no directory."""

    path: Path
    anchor: Anchor

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.anchor.title

    def publish(self, note: str, checkpoint: Checkpoint) -> None:
        """Afterwards the note is kept there, durably."""
        self._require()
        self.anchor.publish(note, checkpoint)

    def newest(self, origin: str) -> str | None:
        """Return the note with the most entries, not verified; None where there is none."""
        self._require()
        return self.anchor.newest(origin)

    def _require(self) -> None:
        if not self.path.is_dir():
            raise Unreachable(
                "anchor-away",
                f"{self.title} is not there: {self.path} is no directory",
                hint=f"mount its disk, or make it: mkdir {self.path}",
            )
