"""What the documentation tells people to type exists, as it is written there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from dbops.cli.root import main
from tests.docs import command_reference
from tests.docs.markdown import ROOT, blocks, commands, documents

SHELLS = {"sh", "bash", "shell", "crontab", "ini", "console"}
# `dbops backup …` in the middle of a sentence; a placeholder in it may be anything.
_INLINE = re.compile(r"`(dbops [^`\n]+)`")
_MAKE_TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)


def parse(command: click.Command, arguments: list[str], context: click.Context) -> None:
    """Read the command line as Click does when it is typed, down to the last option.

    Nothing is executed. Raises click.UsageError where Click would.
    """
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, child, rest = command.resolve_command(context, rest)
        assert child is not None
        assert name is not None
        parse(child, rest, child.make_context(name, rest, parent=context))


def problem(arguments: list[str]) -> str | None:
    """What Click says against the arguments; None where they can be typed."""
    if arguments in (["--version"], ["--help"]):
        return None
    try:
        parse(main, arguments, main.make_context("dbops", list(arguments)))
    except click.UsageError as error:
        return error.format_message()
    return None


def written_commands(path: Path) -> list[tuple[int, list[str]]]:
    """The commands in the shell blocks of a document, with the line of their block."""
    return [
        (block.line, arguments)
        for block in blocks(path.read_text("utf-8"))
        if block.language in SHELLS
        for arguments in commands(block.text)
    ]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_shell_blocks_can_be_typed(path: Path) -> None:
    """Every dbops command in a shell block parses: command, arguments and options exist."""
    wrong = [
        f"line {line}: dbops {shlex.join(arguments)}: {said}"
        for line, arguments in written_commands(path)
        if (said := problem(arguments)) is not None
    ]
    assert wrong == []


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_sentences_exist(path: Path) -> None:
    """A command that is named in a sentence exists, and so do the options it is named with."""
    wrong = []
    for text in _INLINE.findall(path.read_text("utf-8")):
        arguments = text.split()[1:]
        if not all(re.fullmatch(r"-?[\w@./…:|…-]+", word) for word in arguments):
            continue  # a sketch, not a command line
        said = _known(arguments)
        if said:
            wrong.append(f"{text}: {said}")
    assert wrong == []


def test_the_tutorial_and_the_pages_do_have_commands() -> None:
    """The search finds what it is for: the test above would pass on pages without any."""
    found = {path.name: len(written_commands(path)) for path in documents()}
    assert found["tutorial.md"] >= 10
    assert found["nightly.md"] >= 2
    assert found["keys.md"] >= 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$ dbops backup run lab --jobs 2 | head", [["backup", "run", "lab", "--jobs", "2"]]),
        ("dbops doctor; dbops demo", [["doctor"], ["demo"]]),
        ("A=1 sudo -u x dbops doctor 2>/dev/null", [["doctor"]]),
        ("dbops keys list \\\n  --json > out", [["keys", "list", "--json"]]),
        ("30 2 * * * /usr/bin/dbops backup run --all", [["backup", "run", "--all"]]),
        ("cat > x <<EOF\ndbops nonsense\nEOF\ndbops doctor", [["doctor"]]),
        ("ExecStart=/usr/bin/dbops doctor", [["doctor"]]),
        ("echo dbops nonsense # dbops nonsense", []),
    ],
)
def test_commands_are_found_as_a_shell_would(text: str, expected: list[list[str]]) -> None:
    """Prompts, pipes, redirections, crontab fields, here-documents are seen as what they are."""
    assert list(commands(text)) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["backup", "rnu"],
        ["backup", "run", "--al"],
        ["backup", "verify", "--level", "perfect"],
        ["restore", "run"],
        ["backup", "run", "--jobs", "none"],
    ],
)
def test_a_command_line_with_a_mistake_is_noticed(arguments: list[str]) -> None:
    """Unknown commands and options, bad values and missing arguments do not pass."""
    assert problem(arguments) is not None


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_two_commands_of_the_readme_exist(name: str) -> None:
    """`make demo` and `make test` stand in the README, and the Makefile has them."""
    text = (ROOT / name).read_text("utf-8")
    named = {
        line.split()[1]
        for block in blocks(text)
        if block.language == "sh"
        for line in block.text.splitlines()
        if line.startswith("make ")
    }
    targets = set(_MAKE_TARGET.findall((ROOT / "Makefile").read_text("utf-8")))
    assert named == {"demo", "test"}
    assert named <= targets


def test_the_command_reference_is_up_to_date() -> None:
    """`docs/reference/commands.md` is what the commands say of themselves today."""
    page = (ROOT / "docs/reference/commands.md").read_text("utf-8")
    again = "python -m tests.docs.command_reference > docs/reference/commands.md"
    assert page == command_reference.render(), f"write it anew: {again}"


def test_every_command_shows_an_example_and_its_exit_statuses() -> None:
    """The help of each command that does something has both."""
    bare = [
        path
        for path, command in command_reference.every_command()
        if not isinstance(command, click.Group)
        and not _shows_both(command.help or "", path.removeprefix("dbops "))
    ]
    assert bare == []


def _shows_both(text: str, name: str) -> bool:
    shown = re.search(rf"dbops (--estate \S+ )?{re.escape(name)}\b", text)
    return shown is not None and "Exit statuses:" in text


def _known(arguments: list[str]) -> str | None:
    """What is wrong with the command's name or the names of its options; values are not looked at.

    Whatever comes after the command may be a placeholder, or left out.
    """
    command: click.Command = main
    words = list(arguments)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        context = click.Context(command, info_name="dbops")
        child = command.get_command(context, words[0])
        if child is None:
            return None if words[0] in {"…", "COMMAND"} else f"no command {words[0]}"
        command, words = child, words[1:]
    options = {name for item in command.params for name in (*item.opts, *item.secondary_opts)}
    options |= {"--help", "--json"} if isinstance(command, click.Group) else {"--help"}
    unknown = [word for word in words if word.startswith("--") and word not in options]
    return f"no option {', '.join(unknown)}" if unknown else None
