"""Tables fit a screen, whatever stands in their cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.cli.fitted import columns_of, lines_of, show_fitted

HEADS = ("", "step", "takes", "locks", "blocks others'", "written anew")
LONG = (
    "up",
    "12 给每一次就诊记录增加转诊医师以及转诊医院的名称并且建立索引以便按照转诊医师查找就诊记录",
    "123456 ms",
    "his.visit_observation_result_history (ShareUpdateExclusiveLock), his.ward (ShareLock)",
    "reads, writes",
    "his.visit_observation_result_history_of_the_year_2026, his.ward",
)


@pytest.mark.parametrize("width", [80, 100])
def test_a_long_step_fits(capsys: pytest.CaptureFixture[str], width: int) -> None:
    """No line is wider than the screen, and every character of each cell is there."""
    show_fitted([LONG, ("down", "1 a", "3 ms", "", "", "")], HEADS, width)
    out = capsys.readouterr().out
    assert max(map(columns_of, out.splitlines())) <= width
    shown = sorted(out.replace("-", "").replace("\n", "").replace(" ", ""))
    cells = "".join((*HEADS, *LONG, "down", "1 a", "3 ms"))
    assert shown == sorted(cells.replace(" ", ""))


def test_a_table_that_fits_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns are aligned, wide characters as well."""
    show_fitted([("骨科", "3"), ("ICU", "12")], ("ward", "beds"))
    assert capsys.readouterr().out == ("ward    beds\n------  ------\n骨科    3\nICU     12\n")


def test_lines_are_broken_at_spaces() -> None:
    """A word that is too long alone is broken within."""
    assert lines_of("add a column", 6) == ["add a", "column"]
    assert lines_of("his.observation (ShareLock)", 12) == ["his.observat", "ion", "(ShareLock)"]
    assert lines_of("转诊医师", 5) == ["转诊", "医师"]


@given(st.text(st.sampled_from("ab 病区\u0301"), max_size=60), st.integers(2, 20))
def test_no_line_is_too_wide(text: str, most: int) -> None:
    """Whatever the text, and nothing but spaces is lost."""
    lines = lines_of(text, most)
    assert all(columns_of(line) <= most for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
