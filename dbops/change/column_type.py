"""The type of a column, and what is lost from one to another; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Family(Enum):
    """The sorts of types, in words."""

    TEXT = "texts"
    INTEGER = "whole numbers"
    DECIMAL = "decimal numbers"
    FLOAT = "floating numbers"
    DATE = "dates"
    TIME = "times of day"
    STAMP = "points in time"
    SPAN = "spans of time"
    BOOLEAN = "truth values"
    BINARY = "bytes"
    JSON = "json"
    ENUM = "listed values"
    OTHER = "other values"


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type. `text` is how it is written, `name` sqlglot's name of it.

    `size` is the most characters, bytes or digits; None for as many as there may be. `scale` are
    the digits behind the point. `rank` orders types of one family; `values` are an enumeration's,
    for comparing only.
    """

    text: str
    name: str
    family: Family
    size: int | None = None
    scale: int = 0
    rank: int = 0
    zone: bool = False
    padded: bool = False
    unsigned: bool = False
    wide: bool = True  # holds every character, not those of one code page
    values: tuple[str, ...] = ()


DIGITS: Final = {1: 3, 2: 5, 3: 7, 4: 10, 5: 19}  # of whole numbers, by rank


# What has fractions of a second.
_CLOCKS: Final = frozenset({Family.STAMP, Family.TIME, Family.SPAN})
_ROOMY: Final = 64  # characters, in which each number and date has room


def loss(old: SqlType, new: SqlType) -> str | None:
    """Return what a column may lose by a new type, in words; None where every value fits."""
    if old.text.casefold() == new.text.casefold():
        return None
    if Family.OTHER in {old.family, new.family}:
        return _loss_of_other(old, new)
    if old.family is not new.family:
        return _loss_of_family(old, new)
    return _loss_within(old, new)


def _loss_of_other(old: SqlType, new: SqlType) -> str | None:
    if new.family is Family.TEXT and new.size is None:
        return None
    return None if _is_same(old, new) else "values are converted to another type"


def _is_same(old: SqlType, new: SqlType) -> bool:
    """Whether two types that are spelled differently are known to be one."""
    alike = (old.name, old.size, old.scale) == (new.name, new.size, new.scale)
    return alike and old.family is new.family and old.name != "USERDEFINED"


def _loss_within(old: SqlType, new: SqlType) -> str | None:
    if old.family is Family.DECIMAL:
        return _loss_of_digits(_whole(old), old.scale, new)
    if old.family is Family.ENUM:
        kept = new.values[: len(old.values)] == old.values
        return None if kept else "listed values are left out or moved"
    if old.wide and not new.wide:
        return "characters beyond one code page are lost"
    if new.size is not None and (old.size is None or new.size < old.size):
        return "values are cut, or the change fails, where they are longer"
    if new.rank < old.rank or (new.unsigned and not old.unsigned):
        return "values out of the smaller range fail"
    if old.unsigned and not new.unsigned and new.rank <= old.rank:
        return "values out of the smaller range fail"
    if old.family in _CLOCKS and new.scale < old.scale:
        return "fractions of a second are rounded away"
    if old.zone is not new.zone:
        return "times get another meaning: the session's zone decides"
    return None


def _loss_of_family(old: SqlType, new: SqlType) -> str | None:
    if new.family in {Family.TEXT, Family.JSON} and (new.size is None or new.size >= _ROOMY):
        return None
    widening = {(Family.DATE, Family.STAMP), (Family.ENUM, Family.TEXT)}
    if (old.family, new.family) in widening:
        return None
    if old.family is Family.INTEGER and new.family is Family.DECIMAL:
        return _loss_of_digits(DIGITS.get(old.rank, 19), 0, new)
    if old.family is Family.INTEGER and new.family is Family.FLOAT and old.rank < new.rank:
        return None
    return f"{old.family.value} become {new.family.value}"


def _loss_of_digits(whole: int | None, scale: int, new: SqlType) -> str | None:
    room = _whole(new)
    if room is None:
        return None
    if whole is None or room < whole:
        return "values with more digits before the point fail"
    return "digits behind the point are rounded away" if new.scale < scale else None


def _whole(kind: SqlType) -> int | None:
    return None if kind.size is None else kind.size - kind.scale


def is_rewritten(old: SqlType, new: SqlType) -> bool:
    """Whether PostgreSQL writes every row of the table anew for the new type of a column.

    It does not for longer or unbounded varchar and numeric (ALTER TABLE, Notes: binary coercible).
    """
    if old.text.casefold() == new.text.casefold():
        return False
    if old.padded or new.padded or old.family is not new.family:
        return True
    if "NAME" in {old.name, new.name}:  # 64 bytes, whatever it holds
        return old.name != new.name
    if old.family is Family.TEXT:
        return new.size is not None and (old.size is None or new.size < old.size)
    if old.family is Family.DECIMAL:
        return new.size is not None and (
            old.size is None or new.scale != old.scale or new.size < old.size
        )
    if old.family in _CLOCKS:
        return old.name != new.name or new.scale < old.scale
    if old.family is Family.OTHER:
        return not _is_same(old, new)
    return not (old.name == new.name and (new.size is None or new.size >= (old.size or 99)))
