"""What the documentation says, taken apart: fenced blocks, links, commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r" {0,3}(`{3,})(\w*)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")
_HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")
# Words that may stand before a command, with how many words each takes along.
_BEFORE = {"sudo": 1, "-u": 2, "env": 1, "-i": 1, "time": 1}
_OPERATORS = frozenset({"|", "||", "&&", ";", "&", "(", ")", "|&"})
_REDIRECTIONS = frozenset({">", ">>", "<", "<<", "<<<", ">&", "&>"})


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the language on its fence, its text, and the line it begins on."""

    language: str
    text: str
    line: int


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    places = (ROOT, *(ROOT / name for name in ("docs", "dbops", "playbooks", "benchmarks")))
    found = {path for place in places[1:] for path in place.rglob("*.md")}
    return sorted(found | set(ROOT.glob("*.md")))


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks, in order."""
    fence, language, start = "", "", 0
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if not fence and match:
            fence, language, start, lines = match[1], match[2], number, []
        elif fence and line.strip() == fence:
            yield Block(language, "\n".join(lines) + "\n", start)
            fence = ""
        elif fence:
            lines.append(line)


def links(text: str) -> list[str]:
    """The targets of every inline link outside fenced blocks."""
    outside = re.sub(r"^( {0,3}`{3,}).*?^\1\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    return _LINK.findall(outside)


def commands(shell: str) -> Iterator[list[str]]:
    """The arguments of every `dbops` command in the text of a shell block."""
    for line in _logical_lines(shell):
        for segment in _segments(line):
            words = _plain(segment)
            if words and Path(words[0]).name == "dbops":
                yield words[1:]


def _logical_lines(shell: str) -> Iterator[str]:
    """Lines with their continuations, without prompts, comments and here-documents."""
    lines = iter(shell.splitlines())
    for first in lines:
        line = first.removeprefix("$ ").removeprefix("# ")
        while line.endswith("\\"):
            line = line[:-1] + next(lines, "")
        yield line
        if (here := _HEREDOC.search(line)) is not None:
            for inside in lines:
                if inside.strip() == here[1]:
                    break


def _segments(line: str) -> Iterator[list[str]]:
    """The simple commands of a line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    try:
        words = list(lexer)
    except ValueError:  # a quotation that goes on in the next line
        return
    segment: list[str] = []
    for word in words:
        if word in _OPERATORS:
            yield segment
            segment = []
        else:
            segment.append(word)
    yield segment


def _plain(segment: list[str]) -> list[str]:
    """The command's own words: no assignments, no sudo, no crontab fields, no redirections."""
    words = list(segment)
    if words and words[0].startswith("ExecStart="):  # a unit of systemd
        words[0] = words[0].removeprefix("ExecStart=")
    while words and words[0] != "dbops":
        if _ASSIGNMENT.fullmatch(words[0]):
            words = words[1:]
        elif words[0] in _BEFORE:
            words = words[_BEFORE[words[0]] :]
        elif len(words) > 5 and all(re.fullmatch(r"[\d*/,-]+", word) for word in words[:5]):
            words = words[5:]
        else:
            break
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _REDIRECTIONS:
            skip = True
            if kept and kept[-1] in {"1", "2"}:
                kept.pop()
        else:
            kept.append(word)
    return kept
