"""The rows of a repair, opened for somebody's eyes: from the rehearsal, or from a run's bundle."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from dbops.repair.bundle import Bundle, BundleTable
    from dbops.repair.difference import RowDifference
    from dbops.repair.table import Shape

ROWS_SHOWN: Final = 200


def differences(
    bundle: Bundle, shown: Collection[str] | None, most: int | None = ROWS_SHOWN
) -> Iterator[RowDifference]:
    """The rows of the bundle, in its order; `shown` are the columns in clear, None all of them.

    With `most` only the first so many are yielded, and whether the bundle is whole is not known;
    without it the last is followed by Refused where it is not.
    """
    from dbops.repair.difference import difference_of

    header = bundle.header
    shapes = [_shape(table) for table in header.tables]
    key = bytes.fromhex(header.key)

    def text(value: bytes) -> str:
        return readable(value, header.encoding)

    for index, change in islice(bundle, most):
        yield difference_of(shapes[index], change, shown=shown, key=key, text=text)


def readable(value: bytes, encoding: str) -> str:
    """The value as people read it; bytes that are no text of that encoding stay hex digits."""
    try:
        return value.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return f"0x{value.hex()}"


def _shape(table: BundleTable) -> Shape:
    from dbops.repair.table import Shape

    names = [column.name for column in table.columns]
    places = tuple(names.index(name) for name in table.key)
    return Shape(table.table, table.columns, places)
