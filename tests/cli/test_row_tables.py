"""Rows before and after as they are shown: nothing in them moves a cursor or runs in a browser."""

from __future__ import annotations

from dataclasses import replace

import click
import pytest
from click.testing import CliRunner

from dbops.cli.row_tables import html_page, print_rows, rows_json
from dbops.repair.difference import Cell, Operation, RowDifference

EVIL = "<script>alert(1)</script>\x1b[2J"
ROW = RowDifference(
    "his.visit",
    Operation.UPDATE,
    (Cell("id", "7", "7", masked=False),),
    (Cell("ward", "OLD", EVIL, masked=False), Cell("name", "#aa", "#bb", masked=True)),
)
NEW = RowDifference(
    "his.visit",
    Operation.INSERT,
    (Cell("id", None, "8", masked=False),),
    (Cell("ward", None, "x" * 100, masked=False),),
)


def test_a_terminal_gets_printable_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A value with control characters is shown, and does nothing."""
    print_rows([ROW, NEW])
    shown = capsys.readouterr().out
    assert "\x1b[2J" not in shown
    assert "OLD" in shown
    assert "#bb" in shown
    assert "(100 characters)" in shown


def test_a_page_escapes_every_value() -> None:
    """No value becomes markup, and the page forbids scripts by itself."""
    page = "".join(html_page("修复 <1>", [("ticket", "T<2>")], [ROW, NEW]))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert "T&lt;2&gt;" in page
    assert page.count('<tr class="update">') == 2
    assert 'class="masked"' in page


def test_json_has_the_key_of_every_row() -> None:
    """An inserted row is named by its new key."""
    first, second = rows_json([ROW, NEW])
    assert first["key"] == {"id": "7"}
    assert second["key"] == {"id": "8"}
    assert second["columns"] == {"ward": {"before": None, "after": "x" * 100, "masked": False}}


def test_a_terminal_gets_colours_and_a_pipe_does_not() -> None:
    """What is inserted is green, changed yellow, deleted red; a file has the words alone."""
    gone = replace(NEW, operation=Operation.DELETE)
    command = click.Command("show", callback=lambda: print_rows([ROW, NEW, gone]))
    coloured = CliRunner().invoke(command, [], color=True).stdout
    for number, word in (("33", "update"), ("32", "insert"), ("31", "delete")):
        assert f"\x1b[{number}m{word}\x1b[0m" in coloured
    plain = CliRunner().invoke(command, []).stdout
    assert "\x1b" not in plain
    assert [line.split()[0] for line in plain.splitlines()[2:]] == [
        "update",
        "update",
        "insert",
        "delete",
    ]
