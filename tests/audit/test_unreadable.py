"""What the file system refuses is an expected failure wherever the ledger is looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbops.audit.countersign import FOLDER, read_countersigned
from dbops.audit.known import kept_checkpoints
from dbops.audit.segments import Segments
from dbops.crypto.trust import TrustRoot
from dbops.errors import Unreachable

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TOO_LONG = Path("/", "x" * 300)  # refused to every account, root as well


def _countersigned(directory: Path) -> None:
    list(read_countersigned(directory, TrustRoot(()), NOW))


@pytest.mark.parametrize(
    "look",
    [
        lambda path: Segments(path).exist,
        lambda path: Segments(path).measure(),
        lambda path: kept_checkpoints(Segments(path)),
        _countersigned,
    ],
    ids=["there", "measured", "checkpoints", "countersigned"],
)
def test_a_directory_that_cannot_be_looked_into(look: Callable[[Path], object]) -> None:
    """It is unreachable, and not missing."""
    with pytest.raises(Unreachable) as caught:
        look(TOO_LONG)
    assert caught.value.message == "the ledger cannot be read (ENAMETOOLONG)"


def test_a_countersignature_that_cannot_be_read(tmp_path: Path) -> None:
    """A directory in the place of the file is no reason to fall over."""
    (tmp_path / FOLDER / "2026-10.hospital.txt").mkdir(parents=True)
    with pytest.raises(Unreachable) as caught:
        _countersigned(tmp_path)
    assert caught.value.message == "the ledger cannot be read (EISDIR)"
