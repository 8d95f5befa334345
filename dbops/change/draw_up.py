"""Draw up the folder of a new change: an empty one, one of a difference, or a baseline; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dbops.change.diff import Difference, Verb, is_only_order
from dbops.change.manifest import Change, DataLoss, Ring
from dbops.change.manifest_text import ALL
from dbops.change.manifest_writing import change_text, draft_text
from dbops.change.schema import ObjectKind, Schema, refuse_unknown
from dbops.change.schema_text import SOURCE, schema_text
from dbops.change.script import is_remark
from dbops.change.step import VERIFY
from dbops.change.touch import touches_of
from dbops.change.words import difference_words, printable, text_diff
from dbops.review.work import DOWN, UP, Kind, Risk, Work, check_work_id, read_manifest

_SCHEMA: Final = "schema"  # what `records` says
_HOLD_ROWS: Final = frozenset(
    {ObjectKind.TABLE, ObjectKind.COLUMN, ObjectKind.MATERIALIZED_VIEW, ObjectKind.SCHEMA}
)
_TYPE: Final = "type"
_DEFINITION: Final = "definition"
_SIZED: Final = re.compile(r"(?P<name>[a-z ]*char[a-z ]*)\((?P<size>[0-9]{1,9})\)", re.IGNORECASE)
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
    name them, with the definitions that are wanted there. Raises Refused with a `work-…`,
    `manifest-…`, `yaml-…` or `text-…` code for what may not stand there.
    """
    found = () if differences is None else tuple(_own(differences))
    loses = differences is None or any(map(_loses, found))
    text = draft_text(
        _change(new, found),
        None if loses else DataLoss.NONE,
        touches_known=differences is not None,
        new_columns=[each.name.written for each in found if _is_new_column(each)],
    )
    made = "".join(_remark(line) for each in found for line in _told(each, each.after))
    back = "".join(_remark(line) for each in found for line in _told(each, each.before))
    files = {
        UP: _UP_REMARK + (f"-- To be made:\n{made}" if made else ""),
        DOWN: _DOWN_REMARK + (f"-- To be taken back:\n{back}" if back else ""),
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


def _own(differences: Sequence[Difference]) -> Iterator[Difference]:
    """Those that are more than what others bring along: of a dropped table nothing but itself."""
    gone = {each.name for each in differences if each.verb is Verb.DROP}
    moved = {each.within[:1] for each in differences if each.verb is not Verb.ALTER}
    for each in differences:
        taken_along = each.verb is Verb.DROP and any(name in gone for name in each.within)
        if not taken_along and not (is_only_order(each) and each.within[:1] in moved):
            yield each


def _told(difference: Difference, properties: Mapping[str, str]) -> Iterator[str]:
    """The difference in words, and the definition that an object is to have, where words lack it.

    `properties` are those of the side that is to be.
    """
    yield from difference_words(difference)
    wanted = properties.get(_DEFINITION)
    is_said = difference.verb is Verb.ALTER and not text_diff(difference)
    if wanted is None or is_said:
        return
    for line in wanted.rstrip("\n").split("\n"):
        yield f"  {printable(line.expandtabs())}".rstrip()


def _remark(line: str) -> str:
    """A line of a definition may begin as a step's name does, and is none."""
    comment = f"-- {line}"
    return f"{comment}\n" if is_remark(comment) else f"-- |{line}\n"


def _is_new_column(difference: Difference) -> bool:
    """Whether it is a new column of its own, and none that a partition has from its table."""
    of_another = any(name.kind is ObjectKind.COLUMN for name in difference.within)
    is_column = difference.name.kind is ObjectKind.COLUMN
    return difference.verb is Verb.CREATE and is_column and not of_another


def _loses(difference: Difference) -> bool:
    """Whether rows or values may go with it, of which only the author knows what they are worth."""
    if difference.verb is Verb.ALTER and difference.name.kind is ObjectKind.COLUMN:
        old, new = difference.before.get(_TYPE), difference.after.get(_TYPE)
        return old != new and not _is_wider(old or "", new or "")
    return difference.verb is Verb.DROP and difference.name.kind in _HOLD_ROWS


def _is_wider(old: str, new: str) -> bool:
    """Whether the type is the same with more room; of any other nobody can be sure here."""
    was, now = _SIZED.fullmatch(old), _SIZED.fullmatch(new)
    return (
        was is not None
        and now is not None
        and was["name"] == now["name"]
        and int(was["size"]) <= int(now["size"])
    )


def _work(new: NewChange, manifest: bytes, files: dict[str, bytes]) -> Work:
    kind = Kind.CHANGE
    check_work_id(new.id)
    folder = f"{kind.folder}/{new.id}"
    work = Work(kind, new.id, folder, {kind.manifest: manifest, **files})
    read_manifest(work)
    return work
