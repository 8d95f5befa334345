"""The tutorial, run from top to bottom against a real server, and its translation."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, Block, blocks
from tests.fix_postgresql import PgServer
from tests.support.warm import shim

TUTORIAL = ROOT / "docs/tutorial.md"
CHINESE = ROOT / "docs/tutorial.zh-CN.md"
ADAPTED = "<!-- adapt -->"

_TIMED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")
_NUMBER = re.compile(r"\d+(\.\d+)?( [kMG]?B)?")
_SECONDS = 300


@dataclass(frozen=True)
class Step:
    """A block of commands and what the page says that they print."""

    commands: str
    expected: tuple[str, ...]


def steps(text: str) -> list[Step]:
    """The shell blocks in order, each with the text block behind it."""
    found: list[Step] = []
    previous: Block | None = None
    for block in blocks(text):
        if previous is not None and previous.language == "sh":
            shown = tuple(block.text.splitlines()) if block.language == "text" else ()
            found.append(Step(previous.text, shown))
        previous = block
    if previous is not None and previous.language == "sh":
        found.append(Step(previous.text, ()))
    return found


def adapted(text: str) -> str:
    """The block that readers are told to change."""
    after = text.split(ADAPTED, 1)[1]
    return next(blocks(after)).text


def test_the_tutorial_does_what_it_says(pg15: PgServer, tmp_path: Path) -> None:
    """Every block runs in one shell, ends with 0, and prints the lines that the page shows."""
    text = TUTORIAL.read_text("utf-8")
    own = adapted(text)
    mark = secrets.token_hex(8)
    script = "".join(
        f"{_here(pg15) if step.commands == own else step.commands}\necho {mark} $?\n"
        for step in steps(text)
    )
    done = subprocess.run(
        ["bash", "-u"],  # no -e: some steps show how a command fails
        input=script,
        cwd=tmp_path,
        env=_environment(pg15, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    printed = re.split(rf"^{mark} (\d+)\n", done.stdout, flags=re.MULTILINE)
    results = list(zip(printed[0::2], printed[1::2], strict=False))
    assert len(steps(text)) == len(results), done.stdout
    for step, (output, status) in zip(steps(text), results, strict=True):
        assert status == "0", f"{step.commands}\n{output}"
        assert _missing(step.expected, output) == [], f"{step.commands}\n{output}"
    assert list(tmp_path.iterdir()) == [], "the tutorial leaves something behind"


def test_the_chinese_tutorial_has_the_same_commands() -> None:
    """Both languages have the same blocks of commands and of output, in the same order."""
    english, chinese = (list(blocks(page.read_text("utf-8"))) for page in (TUTORIAL, CHINESE))
    assert [(one.language, one.text) for one in english] == [
        (one.language, one.text) for one in chinese
    ]


@pytest.mark.parametrize(
    ("shown", "printed", "found"),
    [
        ("lab@1  1.3 MB read in 3.4 s", "lab@1  51.0 kB read in 12.0 s", True),
        ("lab  ok  2026-01-01 02:00", "lab    ok    2027-11-12 13:14", True),
        ("lab@1 is in …: … tables", "lab@1 is in x: 5 tables", True),
        ("lab  ok", "lab  unproven", False),
        ("… 0 problem", "12 looked at: 10 ok, 2 warning, 1 problem", False),
        ("70", "1", False),
    ],
)
def test_comparison_is_loose_about_figures_only(shown: str, printed: str, found: bool) -> None:
    """Sizes, times and `…` may differ; words may not, nor may whole numbers that stand alone."""
    assert (_missing((shown,), printed) == []) == found


def _missing(expected: tuple[str, ...], output: str) -> list[str]:
    """The expected lines that the output does not have, in their order."""
    lines = iter(output.splitlines())
    return [line for line in expected if not _found(_pattern(line), lines)]


def _found(pattern: re.Pattern[str], lines: Iterator[str]) -> bool:
    """Whether one of the lines fits; those up to it are used up."""
    return any(pattern.fullmatch(line.strip()) for line in lines)


def _pattern(line: str) -> re.Pattern[str]:
    """What the line stands for: any size, decimal and time; any text for `…`; any spacing."""
    words = re.sub(r"\s+", " ", line.strip())
    written = _TIMED.sub("\0t", words)
    written = re.sub(r"\d+\.\d+ [kMG]?B", "\0s", written)
    written = re.sub(r"\b\d+(\.\d+)? ?s\b", "\0d", written)
    pattern = re.escape(written).replace(r"\ ", r"\s+").replace("…", ".*")
    pattern = pattern.replace("\0t", _TIMED.pattern).replace("\0s", _NUMBER.pattern)
    return re.compile(pattern.replace("\0d", r"(\d+m )?\d+(\.\d+)? ?s"))


def _here(server: PgServer) -> str:
    """What the reader of this test's machine would write."""
    return (
        f"export PGPORT={server.port}\n"
        f'admin() {{ psql -X -q -h {server.socket_directory} -U {server.superuser} "$@"; }}\n'
    )


def _environment(server: PgServer, home: Path) -> dict[str, str]:
    programs = [shim().parent, Path(sys.executable).parent, server.installation.bindir]
    path = os.pathsep.join([*map(str, programs), os.defpath, os.environ["PATH"]])
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "PGCONNECT_TIMEOUT": "10"}
