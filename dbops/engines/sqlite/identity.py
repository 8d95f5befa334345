"""Which SQLite database that is: the file's place, and what the application calls its format.

SQLite files have no number of their own. Where the file lies is what an alias cannot fake.
"""

from __future__ import annotations

import os
from pathlib import Path

from dbops.engines.sqlite.connect import open_source
from dbops.engines.sqlite.faults import translated
from dbops.errors import Failed, NotFound


def read_identity(name: str, path: Path) -> str:
    """Return `sqlite:` and the real path; with `#application_id:name` where a database is there.

    A file that is no readable database has its place alone, as one that does not exist. Raises
    Refused where the file may not be read and Unreachable where it stays locked.
    """
    place = f"sqlite:{os.path.realpath(path)}"
    try:
        with open_source(name, path) as source, translated(name, path):
            ((number,),) = source.execute("PRAGMA application_id").fetchall()
    except (NotFound, Failed):
        return place
    return f"{place}#{number}:{name}"
