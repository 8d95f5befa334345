"""The next command that dbops names can be typed: with all that it needs, and nothing unknown."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

from dbops.cli.root import main
from dbops.review.work import Kind
from tests.docs.test_commands_in_docs import problem

ROOT = Path(__file__).parents[2] / "dbops"
# Where a change, its review, or a repair is spoken of; `…*` are the commands of a group.
ROOMS = (
    "review/*.py",
    "change/**/*.py",
    "engines/*/change*.py",
    "cli/change*.py",
    "cli/review*.py",
    "cli/repair*.py",
    "cli/baselines.py",
    "cli/changing.py",
    "cli/gates.py",
    "cli/lint_shown.py",
    "cli/rehearsal_ground.py",
    "cli/stopping.py",
)
GROUPS = "|".join(main.list_commands(click.Context(main)))
# A command ends with the text, or where a sentence goes on.
COMMAND = re.compile(rf'(?<![\w`"])dbops ((?:{GROUPS})\b[^;,()"\n]*)')
COMMENT = re.compile(r"^#.*", re.MULTILINE)  # in files that dbops writes
LOCK = "change journal"  # the name of a lock, which nobody types
GOES_ON = re.compile(r" (?:&&|\|\||or|then) ")
# "dbops change list shows the ids": words about the command follow it, without a colon before it.
ABOUT = re.compile(r" (?:shows|tells|says|finds|helps|grants|is|wrote)\b.*")
VALUE = "1"  # an id, a name, a number, a path: what stands for a value may be any of them


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text of a module that is no docstring, with a value in each place of an f-string."""
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            bare |= {id(part) for part in node.values}
            parts = (
                part.value if isinstance(part, ast.Constant) else VALUE for part in node.values
            )
            yield node.lineno, "".join(map(str, parts))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.lineno, node.value


def named(text: str) -> Iterator[str]:
    """The commands that a text tells somebody to type."""
    for found in COMMAND.finditer(COMMENT.sub("", text)):
        for each in GOES_ON.split(found[1]):
            yield ABOUT.sub("", each.removeprefix("dbops ")).strip(" .:")


def wrong(command: str) -> str | None:
    """Why it cannot be typed; None where it can be, with whatever stands for a value."""
    words = [VALUE if word in {"N", "SEQ"} else word for word in shlex.split(command)]
    if words[-1] == "--help":
        return missing_help(words[:-1])
    told = problem(words)
    if told is None or len(words) < 2 or words[1] != VALUE:
        return told
    # Which command of the group is only known when it runs: one of them it can be.
    group = main.get_command(click.Context(main), words[0])
    assert isinstance(group, click.Group)
    names = group.list_commands(click.Context(group))
    return None if any(problem([words[0], each, *words[2:]]) is None for each in names) else told


def missing_help(words: Iterable[str]) -> str | None:
    command: click.Command | None = main
    for word in words:
        if not isinstance(command, click.Group):
            return None  # what it takes is what its help is asked for
        command = command.get_command(click.Context(command), word)
        if command is None:
            return f"No such command {word}"
    return None


def commands_of(path: Path) -> list[tuple[int, str]]:
    """The commands that a module names, with their lines, but for those named in passing."""
    found = ((line, text) for line, text in texts(ast.parse(path.read_text("utf-8"))))
    return [
        (line, each) for line, text in found for each in named(text) if " " in each and each != LOCK
    ]


def modules() -> list[Path]:
    return sorted({path for room in ROOMS for path in ROOT.glob(room)})


def test_every_command_that_is_named_can_be_typed() -> None:
    """Of changes, repairs and reviews: command, arguments and required options are all there."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: dbops {each}: {told}"
        for path in modules()
        for line, each in commands_of(path)
        if (told := wrong(each)) is not None
    ]
    assert found == []


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_work_has_a_command_that_draws_it_up(kind: Kind) -> None:
    """It exists, by the words that hints name it with."""
    assert missing_help(kind.drawn_up_by.split()) is None


def test_there_are_such_commands() -> None:
    """The search finds what it is for."""
    count = sum(len(commands_of(path)) for path in modules())
    assert count > 100


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("see why: dbops review show 7; then run it", ["review show 7"]),
        (
            "dbops backup run his && dbops backup verify his",
            ["backup run his", "backup verify his"],
        ),
        ("dbops change list shows the ids", ["change list"]),
        ("read it, then dbops review request 7 --key KEY", ["review request 7 --key KEY"]),
        ("as dbops said", []),
    ],
)
def test_commands_are_found_in_sentences(text: str, commands: list[str]) -> None:
    """Where one ends and where words about it begin."""
    assert list(named(text)) == commands


@pytest.mark.parametrize(
    "command",
    ["review request 7", "review nwe --help", "change run", "change run 7 --rings x", "1 x"],
)
def test_a_command_that_lacks_something_is_noticed(command: str) -> None:
    """A required option, an argument, an option or a command that is not there."""
    assert wrong(command) is not None
