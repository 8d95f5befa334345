"""The scripts of a change as `dbops change show` has them, and where their transactions begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dbops.change.step import Part
    from dbops.cli.changing import ReadChange
    from dbops.cli.wiring import Wiring


def parts_by_script(wiring: Wiring, found: ReadChange) -> Mapping[str, tuple[Part, ...]]:
    """The parts in which dbops runs up.sql and down.sql, by the file's name.

    None of a change that another command runs: then all of it is one transaction.
    """
    from dbops.change.parts import parts_of
    from dbops.review.work import DOWN, UP

    if found.change.prepares is not None or found.change.records is not None:
        return {}
    engine = wiring.change_engine(wiring.database(found.change.databases[-1]))
    return {UP: parts_of(found.up, engine), DOWN: parts_of(found.down, engine)}


def show_scripts(wiring: Wiring, found: ReadChange) -> None:
    """Print every script with its lines numbered; one of several parts says where each begins."""
    from dbops.change.step import VERIFY
    from dbops.review.work import DOWN, UP

    parts = parts_by_script(wiring, found)
    for name in (UP, DOWN, VERIFY):
        data = found.work.files.get(name)
        if data is not None:
            text = data.decode("utf-8", "replace")
            click.echo("\n" + "\n".join(script_lines(name, text, parts.get(name, ()))))


def script_lines(name: str, text: str, parts: Sequence[Part]) -> Iterator[str]:
    """The lines of a script below its name. A part begins above the comments before its step.

    Of a single part it is said above where that is no transaction.
    """
    from dbops.change.words import printable

    lines = text.splitlines()
    marks = list(_marks(lines, parts)) if len(parts) > 1 else []
    alone = any(part.alone for part in parts)
    yield f"{name}, in {parts_words(parts)}:" if marks or alone else f"{name}:"
    for number, line in enumerate(lines, 1):
        yield from (f"      == {mark}" for at, mark in marks if at == number)
        yield f"{number:4d}  {printable(line)}"


def scripts_json(wiring: Wiring, found: ReadChange) -> dict[str, dict[str, object]]:
    """The same for `--json`: the texts, and the steps of each transaction."""
    from dbops.change.step import VERIFY
    from dbops.review.work import DOWN, UP

    files = found.work.files
    texts = {
        name: files[name].decode("utf-8", "replace") for name in (UP, DOWN, VERIFY) if name in files
    }
    steps = {
        name: [
            {"steps": [step.number for step in part.steps], "alone": part.alone} for part in each
        ]
        for name, each in parts_by_script(wiring, found).items()
        if each
    }
    return {"scripts": {**texts}, "parts": {**steps}}


def _marks(lines: Sequence[str], parts: Sequence[Part]) -> Iterator[tuple[int, str]]:
    """Before which line each part begins, and what it is."""
    count = 0
    for part in parts:
        count += not part.alone
        line = part.steps[0].line
        while line > 1 and lines[line - 2].lstrip().startswith("--"):
            line -= 1
        yield line, "outside of any transaction" if part.alone else f"transaction {count} begins"


def parts_words(parts: Sequence[Part]) -> str:
    """How many transactions they are, and how many steps stand outside of any."""
    from dbops.cli.render import counted

    alone = sum(part.alone for part in parts)
    beside = f"{counted(alone, 'step')} outside of any" if alone else ""
    if alone == len(parts):
        return f"{counted(alone, 'step')} outside of any transaction"
    together = counted(len(parts) - alone, "transaction")
    return f"{together} and {beside}" if beside else together
