"""The mistake that the demo repairs: a ward is closed, and an interface still books visits to it.

What is written here is written by `dbops/demo/writing.py`, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

DATABASE: Final = "obstetric-emr"
TABLE: Final = "visit"
CLOSED: Final = "D013"
RIGHT: Final = "D014"
SINCE: Final = "2026-08-18 00:00:00"
"""When the ward was closed: after the last working day of the demo's own seed."""
VISITS: Final = 3

_ADMITTED: Final = "2026-08-18 09:30:00"


class Act(StrEnum):
    """What somebody does in that database."""

    BOOK_WRONGLY = "book-wrongly"  # the interface, which kept its old map
    MOVE_TO_ANOTHER_BED = "move-to-another-bed"  # a nurse, one of the patients
    MOVE_BACK = "move-back"  # the same nurse, later
    ALTER_BY_HAND = "alter-by-hand"  # somebody who knows the password, past every sign-off


_CLOSE: Final = "UPDATE department SET closed_at = ? WHERE code = ?"
_BOOK: Final = """
INSERT INTO visit (visit_no, patient_id, department_code, doctor_id, admitted_at, bed, diagnosis,
                   status)
SELECT printf('V99%08d', id), patient_id, ?, doctor_id, ?, ?, diagnosis, '在院'
  FROM visit ORDER BY id DESC LIMIT ?
"""
_MOVE: Final = "UPDATE visit SET bed = ? WHERE id = (SELECT max(id) FROM visit)"
_BED, _OTHER_BED = "12床", "15床"

STATEMENTS: Final[Mapping[Act, tuple[tuple[str, tuple[str | int, ...]], ...]]] = MappingProxyType(
    {
        Act.BOOK_WRONGLY: (
            (_CLOSE, (SINCE, CLOSED)),
            (_BOOK, (CLOSED, _ADMITTED, _BED, VISITS)),
        ),
        Act.MOVE_TO_ANOTHER_BED: ((_MOVE, (_OTHER_BED,)),),
        Act.MOVE_BACK: ((_MOVE, (_BED,)),),
        Act.ALTER_BY_HAND: (("ALTER TABLE visit ADD COLUMN remark_by_hand TEXT", ()),),
    }
)
"""The SQL of each act and what is bound in it. A bed is no part of the mistake or of its repair."""
