"""SQLite's own check of a restored copy: what it tests, and what it leaves as it was."""

from __future__ import annotations

from pathlib import Path

import apsw

from dbops.engines.sqlite.engine import SqliteEngine
from dbops.estate.values import SqliteAddress

_BROKEN = """
CREATE TABLE bed (id INTEGER PRIMARY KEY, places INTEGER CHECK (places >= 0));
PRAGMA ignore_check_constraints = 1;
INSERT INTO bed (places) VALUES (-1), (4);
PRAGMA ignore_check_constraints = 0;
"""


def test_a_row_that_breaks_a_check_in_the_source_leaves_the_copy_whole(tmp_path: Path) -> None:
    """A copy that is just as the source was is no fault of its backup."""
    path = tmp_path / "restored.db"
    connection = apsw.Connection(str(path))
    connection.execute(_BROKEN)
    before = path.read_bytes()
    assert SqliteEngine(SqliteAddress(name="lab", path=path)).check() == ()
    assert path.read_bytes() == before
    # What may write the file sees the checks, and finds the row.
    assert connection.execute("PRAGMA integrity_check").fetchall() == [
        ("CHECK constraint failed in bed",)
    ]
    connection.close()
