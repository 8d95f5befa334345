"""Rows before and after, on a terminal, as JSON and as a page for people without dbops."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click

from dbops.cli.render import show_table
from dbops.repair.difference import Operation

if TYPE_CHECKING:
    from dbops.repair.difference import Cell, RowDifference

WIDTH: Final = 60  # characters of one value on a terminal

_COLOURS: Final = {Operation.INSERT: "green", Operation.UPDATE: "yellow", Operation.DELETE: "red"}
_WORDS: Final = {
    Operation.INSERT: ("insert", "新增"),
    Operation.UPDATE: ("update", "修改"),
    Operation.DELETE: ("delete", "删除"),
}
_STYLE: Final = """
body { font: 14px/1.5 "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; margin: 2em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { border: 1px solid #bbb; padding: .2em .6em; text-align: left; vertical-align: top; }
td { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 30em; }
.insert { background: #e6f6e6; } .update { background: #fdf6dc; } .delete { background: #fbe5e5; }
.masked { color: #777; font-family: monospace; }
"""


def print_rows(rows: Iterable[RowDifference]) -> None:
    """One table on standard output; each row of data takes a line for each column that differs."""
    lines = [
        [_coloured(row), row.table, _key(row), cell.column, _short(cell.before), _short(cell.after)]
        for row in rows
        for cell in row.cells
    ]
    show_table(lines, ("", "table", "key", "column", "before", "after"))


def rows_json(rows: Iterable[RowDifference]) -> list[dict[str, object]]:
    """The same as a document; a masked value is a digest there too."""
    return [
        {
            "table": row.table,
            "operation": row.operation,
            "key": {
                cell.column: cell.after if cell.before is None else cell.before for cell in row.key
            },
            "columns": {
                cell.column: {"before": cell.before, "after": cell.after, "masked": cell.masked}
                for cell in row.cells
            },
        }
        for row in rows
    ]


def html_page(
    title: str, facts: Sequence[tuple[str, str]], rows: Iterable[RowDifference]
) -> Iterator[str]:
    """A page that stands alone, in pieces: it loads nothing, runs nothing, escapes everything."""
    safe = html.escape(title)
    yield (
        '<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{safe}</title><style>{_STYLE}</style></head><body>\n<h1>{safe}</h1>\n<table>\n"
    )
    for name, value in facts:
        yield f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>\n"
    yield "</table>\n<table>\n<tr>"
    heads = ("操作 operation", "表 table", "主键 key", "列 column", "修改前 before", "修改后 after")
    yield "".join(f"<th>{head}</th>" for head in heads) + "</tr>\n"
    for row in rows:
        yield from _html_row(row)
    yield "</table>\n</body></html>\n"


def _html_row(row: RowDifference) -> Iterator[str]:
    english, chinese = _WORDS[row.operation]
    for cell in row.cells:
        texts = (f"{chinese} {english}", row.table, _key(row), cell.column)
        plain = "".join(f"<td>{html.escape(text)}</td>" for text in texts)
        values = "".join(_html_value(cell, text) for text in (cell.before, cell.after))
        yield f'<tr class="{english}">{plain}{values}</tr>\n'


def _html_value(cell: Cell, text: str | None) -> str:
    if text is None:
        return "<td></td>"
    mark = ' class="masked"' if cell.masked else ""
    return f"<td{mark}>{html.escape(text)}</td>"


def _key(row: RowDifference) -> str:
    parts = (cell.after if cell.before is None else cell.before for cell in row.key)
    return ", ".join(part or "" for part in parts)


def _coloured(row: RowDifference) -> str:
    return click.style(row.operation.value, fg=_COLOURS[row.operation])


def _short(text: str | None) -> str:
    """One line of the terminal; control characters would move its cursor."""
    if text is None:
        return ""
    plain = "".join(char if char.isprintable() else "�" for char in text[: WIDTH + 1])
    return plain if len(text) <= WIDTH else f"{plain[:WIDTH]}… ({len(text)} characters)"
