"""Which files of a change's folder a rehearsal makes, and of which database each of them is."""

from __future__ import annotations

import pytest

from dbops.change.rehearsed_files import (
    difference_file,
    end_file,
    end_files,
    files_of,
    findings_file,
    made_by_rehearsal,
    own_files,
    source_file,
)
from dbops.change.step import Direction
from dbops.review.work import EVIDENCE, EVIDENCE_SIGNATURE, Kind, Work

UP, DOWN = Direction.UP, Direction.DOWN
SCRIPTS = {"change.yml": b"id: c-1\n", "up.sql": b"SELECT 1;\n"}


def made_for(database: str) -> list[str]:
    """What a rehearsal of a change in parts leaves of a database."""
    ends = (end_file(database, UP, 3), end_file(database, DOWN, 12))
    return [findings_file(database), source_file(database), difference_file(database), *ends]


def test_each_file_has_its_name() -> None:
    """They are names that folders of changes have for years."""
    assert made_for("his") == [
        "rehearsed-his.yml",
        "rehearsed-his.schema",
        "rehearsed-his.diff",
        "rehearsed-his.up-3.diff",
        "rehearsed-his.down-12.diff",
    ]


def test_the_ends_of_a_database_are_found_again() -> None:
    """Of that one alone, whatever others are called, and by their directions and steps."""
    paths = [path for name in ("his", "his-2", "s", "hi") for path in made_for(name)]
    assert end_files("his", paths) == {
        (UP, 3): "rehearsed-his.up-3.diff",
        (DOWN, 12): "rehearsed-his.down-12.diff",
    }
    assert end_files("his-2", paths) == {
        (UP, 3): "rehearsed-his-2.up-3.diff",
        (DOWN, 12): "rehearsed-his-2.down-12.diff",
    }
    assert end_files("2", paths) == {}


NO_ENDS = (
    *("up-0", "up-03", "up-+3", "up--3", "up-3 ", "up-\u0663", "up-1000000000", "up-", "up-3.x"),
    *("UP-3", "both-3", "-3", "3", "up3", "up-3\n", "x.up-3"),
)


@pytest.mark.parametrize("end", NO_ENDS)
def test_nothing_else_is_an_end(end: str) -> None:
    """A step has one spelling, so that no two files can speak of the same end."""
    path = f"rehearsed-his.{end}.diff"
    assert end_files("his", [path]) == {}
    assert files_of(["his"], [path]) == files_of(["his"], [])


@pytest.mark.parametrize(
    "path", ["rehearsed-his.up-3.diff.old", "x/rehearsed-his.up-3.diff", "rehearsed-his-up-3.diff"]
)
def test_no_longer_path_is_an_end(path: str) -> None:
    """Neither what was put aside, nor what lies deeper."""
    assert end_files("his", [path]) == {}


def test_the_largest_step_has_nine_digits() -> None:
    """No script has as many."""
    path = end_file("his", UP, 999_999_999)
    assert end_files("his", [path]) == {(UP, 999_999_999): path}


def test_what_was_found_on_a_database_has_its_ends() -> None:
    """A rehearsal on the others that kept all but these would lose what its parts came to."""
    there = [*SCRIPTS, EVIDENCE, *made_for("his"), *made_for("his-2")]
    assert files_of(["his"], there) == set(made_for("his"))
    assert files_of(["his", "his-2"], there) == {*made_for("his"), *made_for("his-2")}
    assert files_of([], there) == set()


def test_what_no_rehearsal_goes_without_is_named_though_it_is_not_there() -> None:
    """Whoever wants to keep it sees that it is missing."""
    assert files_of(["his"], SCRIPTS) == {
        "rehearsed-his.yml",
        "rehearsed-his.schema",
        "rehearsed-his.diff",
    }


def test_no_rehearsal_makes_another_revision() -> None:
    """All that it leaves is told apart from what people wrote, the ends of parts too."""
    left = [*made_for("his"), EVIDENCE, EVIDENCE_SIGNATURE]
    assert made_by_rehearsal([*SCRIPTS, *left]) == set(left)
    before = Work(Kind.CHANGE, "c-1", "changes/c-1", SCRIPTS)
    after = Work(Kind.CHANGE, "c-1", "changes/c-1", {**SCRIPTS, **dict.fromkeys(left, b"x")})
    other = Work(Kind.CHANGE, "c-1", "changes/c-1", {**SCRIPTS, "up.sql": b"SELECT 2;\n"})
    assert own_files(after) == own_files(before) != own_files(other)
