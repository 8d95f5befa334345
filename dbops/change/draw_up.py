"""Draw up the folder of a new change: an empty one, one of a difference, or a baseline; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dbops.change.diff import Difference, Verb
from dbops.change.manifest import Change, DataLoss, Ring
from dbops.change.manifest_text import ALL
from dbops.change.manifest_writing import change_text, draft_text
from dbops.change.schema import ObjectKind, Schema, refuse_unknown
from dbops.change.schema_text import SOURCE, schema_text
from dbops.change.step import VERIFY
from dbops.change.touch import touches_of
from dbops.change.words import difference_words
from dbops.review.work import DOWN, UP, Kind, Risk, Work, check_work_id, read_manifest

_SCHEMA: Final = "schema"  # what `records` says
_HOLD_ROWS: Final = frozenset(
    {ObjectKind.TABLE, ObjectKind.COLUMN, ObjectKind.MATERIALIZED_VIEW, ObjectKind.SCHEMA}
)
_UP_REMARK: Final = """\
-- The statements that change the database, each ended by a semicolon.
-- A comment on a line of its own names the next one: -- step: what it does
"""
_DOWN_REMARK: Final = """\
-- The statements that take the change back, the last thing first.
"""
_VERIFY_REMARK: Final = """\
-- Queries of one value, which must be true once the change is made, such as
-- SELECT count(*) = 0 FROM his.visit WHERE ward_code IS NULL;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChange:
    """What is known of a change before it is written. Without `rings` there is one of all."""

    id: str
    title: str
    author: str
    databases: tuple[str, ...]
    rings: tuple[Ring, ...] = ()
    ticket: str | None = None
    why: str | None = None
    risk: Risk = Risk.LOW


def draw_up_change(new: NewChange, differences: Sequence[Difference] | None = None) -> Work:
    """Return a change whose author has to fill in the blanks, and to write the SQL.

    Of `differences`, which are those that it is to make, the touches are written, and the SQL files
    name them. Raises Refused with a `work-…`, `manifest-…`, `yaml-…` or `text-…` code for what may
    not stand there.
    """
    found = () if differences is None else tuple(differences)
    loses = differences is None or any(map(_loses, found))
    text = draft_text(
        _change(new, found),
        None if loses else DataLoss.NONE,
        touches_known=differences is not None,
    )
    told = "".join(f"-- {line}\n" for each in found for line in difference_words(each))
    files = {
        UP: _UP_REMARK + (f"-- To be made:\n{told}" if told else ""),
        DOWN: _DOWN_REMARK + (f"-- To be taken back:\n{told}" if told else ""),
        VERIFY: _VERIFY_REMARK,
    }
    return _work(new, text, {name: each.encode() for name, each in files.items()})


def draw_up_record(new: NewChange, schema: Schema) -> Work:
    """Return the change that makes the schema the baseline of its one database.

    Raises Refused `schema-unknown` where nobody can compare all of it, and as `draw_up_change`.
    """
    refuse_unknown(schema, ", ".join(new.databases))
    change = Change(
        id=new.id,
        title=new.title,
        author=new.author,
        risk=new.risk,
        rings=(Ring(ALL, new.databases),),
        why=new.why,
        ticket=new.ticket,
        records=_SCHEMA,
    )
    return _work(new, change_text(change), {SOURCE: schema_text(schema)})


def _change(new: NewChange, differences: Sequence[Difference]) -> Change:
    return Change(
        id=new.id,
        title=new.title,
        author=new.author,
        risk=new.risk,
        rings=new.rings or (Ring(ALL, new.databases),),
        why=new.why,
        ticket=new.ticket,
        touches=touches_of(differences),
    )


def _loses(difference: Difference) -> bool:
    """Whether rows or values may go with it, of which only the author knows what they are worth."""
    return difference.verb is Verb.DROP and difference.name.kind in _HOLD_ROWS


def _work(new: NewChange, manifest: bytes, files: dict[str, bytes]) -> Work:
    kind = Kind.CHANGE
    check_work_id(new.id)
    folder = f"{kind.folder}/{new.id}"
    work = Work(kind, new.id, folder, {kind.manifest: manifest, **files})
    read_manifest(work)
    return work
