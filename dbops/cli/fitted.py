"""Tables that fit a screen: cells are broken into lines, wide (Chinese) characters counted as two.

East Asian Width: https://www.unicode.org/reports/tr11/
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

WIDTH: Final = 100  # columns of a terminal, as the help of every command has them
_GAP: Final = 2  # between two columns of a table
_MORE: Final = 2  # that tabulate leaves behind a header
_LEAST: Final = 8


def show_fitted(rows: Sequence[Sequence[str]], headers: Sequence[str], width: int = WIDTH) -> None:
    """Print a table of at most `width` columns; nothing of a cell is left out.

    One of so many columns that each had less than eight is wider.
    """
    from dbops.cli.render import show_table

    cells = [[columns_of(cell) for cell in column] for column in zip(headers, *rows, strict=True)]
    natural = [max(head + _MORE, *others, 0) for head, *others in cells]
    widths = _shared(natural, width - _GAP * (len(headers) - 1))
    show_table(
        [_broken(row, widths) for row in rows],
        _broken(headers, [most - _MORE for most in widths]),
    )


def _broken(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    pairs = zip(row, widths, strict=True)
    return ["\n".join(lines_of(cell, most)) for cell, most in pairs]


def columns_of(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(map(_columns, text))


def lines_of(text: str, most: int) -> list[str]:
    """Return the text in lines of at most `most` columns, broken at spaces where there are any."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if columns_of(longer) <= most:
            line = longer
            continue
        if line:
            lines.append(line)
        *whole, line = _pieces(word, most)
        lines += whole
    return [*lines, line]


def _pieces(word: str, most: int) -> Iterator[str]:
    """Pieces of a word without spaces; the last one may be continued."""
    piece = ""
    for character in word:
        if piece and columns_of(piece) + _columns(character) > most:
            yield piece
            piece = ""
        piece += character
    yield piece


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _shared(natural: Sequence[int], room: int) -> list[int]:
    """The widths of columns that share the room: the widest gives way first."""
    widths = list(natural)
    while sum(widths) > room:
        widest = max(widths)
        if widest <= _LEAST:
            break
        widths[widths.index(widest)] -= 1
    return widths
