"""A bundle's line read back as a change; exact, and refused where it is none; pure.

Most lines escape nothing. Then every quotation mark begins or ends a value, and what stands
between values is the same for thousands of rows: it is understood once, and the values are cut out
as they lie there, several times as fast as json reads them. All other lines json reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dbops.repair.table import Change, Row
from dbops.repair.value_text import decode_value

# What is written with an escape, is no text, or must not stand in JSON as it is.
_INTRICATE: Final = re.compile(rb"[\\{\x00-\x1f]")
_FORMS_MOST: Final = 4096

_Places = tuple[int, ...]  # of values in the line, by number; -1 is NULL
_Picked = _Places | slice  # a slice where they stand side by side


@dataclass(frozen=True, slots=True)
class _Form:
    """What stands between the values of a line says."""

    index: int
    key: slice
    before: _Picked | None
    after: _Picked | None


class ChangeLines:
    """Reads lines of one bundle; `widths` are the numbers of columns of its tables."""

    def __init__(self, widths: Sequence[int]) -> None:
        self._widths = tuple(widths)
        self._forms: dict[bytes, _Form] = {}

    def change(self, line: bytes) -> tuple[int, Change]:
        """Return the place of the table, and the change; the line has its newline.

        Raises ValueError, TypeError, IndexError or RecursionError for a line that is none; what
        they say may hold values.
        """
        parts = line.split(b'"')
        if len(parts) % 2 == 0 or _INTRICATE.search(line, 0, len(line) - 1):
            return self._read(line)
        if not line.isascii():
            line.decode()
        values = parts[1::2]
        form = self._form(b'"'.join(parts[::2]))
        key = tuple(values[form.key])
        return form.index, Change(key, _picked(values, form.before), _picked(values, form.after))

    def _read(self, line: bytes) -> tuple[int, Change]:
        index, key, before, after = json.loads(line.decode())
        width = self._widths[_place(index)]
        order = tuple([_part(part) for part in key])
        return index, Change(order, _row(before, width), _row(after, width))

    def _form(self, between: bytes) -> _Form:
        """What json makes of the line when each value is its own number."""
        found = self._forms.get(between)
        if found is None:
            pieces = between.split(b'"')
            numbered = [b'%b"%d"' % (piece, n) for n, piece in enumerate(pieces[:-1])]
            index, (key, before, after) = self._read(b"".join([*numbered, pieces[-1]]))
            found = _Form(index, slice(len(key)), _places(before), _places(after))
            if len(self._forms) < _FORMS_MOST:
                self._forms[between] = found
        return found


def _picked(values: list[bytes], places: _Picked | None) -> Row | None:
    if places is None:
        return None
    if type(places) is slice:
        return tuple(values[places])
    return tuple([None if place < 0 else values[place] for place in places])


def _places(row: Row | None) -> _Picked | None:
    if row is None:
        return None
    places = tuple(-1 if cell is None else int(cell) for cell in row)
    return places if -1 in places or not places else slice(places[0], places[-1] + 1)


def _place(index: object) -> int:
    if type(index) is not int or index < 0:
        raise ValueError("no place of a table")
    return index


def _part(found: object) -> bytes:
    part = decode_value(found)
    if part is None:
        raise ValueError("a key without a value")
    return part


def _row(cells: object, width: int) -> Row | None:
    if cells is None:
        return None
    if type(cells) is not list or len(cells) != width:
        raise ValueError("a row of another table")
    return tuple([cell.encode() if type(cell) is str else decode_value(cell) for cell in cells])
