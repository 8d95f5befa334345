"""Sessions as a person types them: every file of transcripts/ is played, to the letter.

`$ ` begins a command, run by a shell in an empty directory. The lines after it are what it prints
on standard output, those after `2> ` what it prints on standard error, and `? ` its exit status,
where that is not 0. `<TIME>`, `<SIZE>`, `<SECONDS>`, `<HEX>`, `<WORD>` and `<LINES>` stand for what
differs from one run to the next; `#` begins a remark. Spaces that pad a table count as one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from dbops.cli.root import main
from tests.support.warm import shim

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
_PLACEHOLDERS = {
    "<TIME>": r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\dZ)?",
    "<SIZE>": r"\d+(\.\d)? (B|kB|MB)",
    "<SECONDS>": r"\d+\.\d s",
    "<AGE>": r"(\d+m )?\d+s",
    "<HEX>": r"[0-9a-f]{8,}",
    "<WORD>": r"\S+",
    "<LINES>": r"(.*\n)*.*",
}
_MAKE_DATABASE = """#!/bin/sh
exec {python} -c 'import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.executescript(sys.stdin.read())
connection.commit()' "$@"
"""


@dataclass
class Step:
    """One command and what is expected of it."""

    line: int
    command: str
    out: str = ""
    err: str = ""
    status: int = 0


def _steps(text: str) -> Iterator[Step]:
    step: Step | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("$ "):
            if step is not None:
                yield step
            step = Step(number, line[2:])
        elif step is not None and line.startswith("? "):
            step.status = int(line[2:])
        elif step is not None and line.startswith("2> "):
            step.err += line[3:] + "\n"
        elif step is not None and not line.startswith("#"):
            step.out += line + "\n"
    if step is not None:
        yield step


def _fits(shown: str, expected: str) -> bool:
    """Whether that is what was expected, whatever stands in place of the placeholders."""
    parts = re.split(f"({'|'.join(_PLACEHOLDERS)})", _squeezed(expected))
    pattern = "".join(_PLACEHOLDERS.get(part) or re.escape(part) for part in parts)
    return re.fullmatch(pattern, _squeezed(shown)) is not None


def _squeezed(text: str) -> str:
    """Without the padding of tables, whose width depends on the values, and without empty lines."""
    text = re.sub(r"-{3,}", "---", text)
    lines = (re.sub(r" {2,}", "  ", line).rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """The environment of the session: `dbops` and `sqlite` are programs, nothing is configured."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "dbops").symlink_to(shim())
    (programs / "sqlite").write_text(_MAKE_DATABASE.format(python=sys.executable))
    (programs / "sqlite").chmod(0o755)
    place = tmp_path / "session"
    place.mkdir()
    return {
        "PATH": f"{programs}:{os.defpath}",
        "HOME": str(place),
        "PWD": str(place),
        "LC_ALL": "C.UTF-8",
    }


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path, shell: dict[str, str]) -> None:
    """Every command of the session prints what the file says and ends as it says."""
    steps = list(_steps(path.read_text("utf-8")))
    assert steps, "the file holds no command"
    for step in steps:
        done = subprocess.run(
            ["/bin/sh", "-c", step.command],
            cwd=shell["PWD"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=shell,
            check=False,
        )
        place = f"{path.name}:{step.line}: {step.command}\n{done.stdout}{done.stderr}"
        assert done.returncode == step.status, place
        assert _fits(done.stdout.replace(shell["PWD"], "<HERE>"), step.out), place
        assert _fits(done.stderr.replace(shell["PWD"], "<HERE>"), step.err), place


def _commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that does something."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name)


def _help(words: tuple[str, ...]) -> str:
    command: click.Command = main
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    return command.get_help(click.Context(command, info_name=" ".join(("dbops", *words))))


@pytest.mark.parametrize("words", list(_commands(main)), ids=" ".join)
def test_help_has_an_example_and_the_exit_statuses(words: tuple[str, ...]) -> None:
    """A person who asks for help gets a line to copy, and what each exit status means."""
    text = _help(words)
    example = re.search(r"dbops( --estate \S+)? " + " ".join(words), text.partition("\n")[2])
    assert example is not None, text
    statuses = re.search(r"Exit statuses: 0 ", text)
    assert statuses is not None, text
    listed = {int(found) for found in re.findall(r"\b(\d+) [a-z\[-]", text[statuses.end() - 2 :])}
    assert listed <= {0, 1, 2, 3, 4, 5, 10, 11, 12, 70, 130}, listed


def test_no_command_prints_help() -> None:
    """Nothing typed is a question, not a mistake: the answer is the help alone."""
    program = shutil.which("dbops", path=str(Path(sys.executable).parent))
    assert program is not None
    done = subprocess.run([program, "backup"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: dbops backup [OPTIONS] COMMAND [ARGS]...\n")
