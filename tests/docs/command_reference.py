"""`docs/reference/commands.md`, made from the commands themselves.

python -m tests.docs.command_reference > docs/reference/commands.md
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from dbops.cli.root import main

_HEAD = """\
# Commands

Every command, its options and its exit statuses. This page is made from the commands themselves;
`dbops COMMAND --help` prints the same. After a change of a command, write it anew:

```sh
.venv/bin/python -m tests.docs.command_reference > docs/reference/commands.md
```

`DB` is a name under `[databases]` in `dbops.toml`, `ID` a backup such as `lab@12`. With `--json` a
command prints one JSON document on standard output; what is for people goes to standard error. An
error is two lines there, `error:` and `hint:`; [errors.md](errors.md) lists them all.
"""


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Every command and group with its full name, in the order of the help."""
    yield from _below("dbops", main)


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _below(f"{path} {name}", child)


def render() -> str:
    """The whole page."""
    return _HEAD + "".join(_section(path, command) for path, command in every_command())


def _section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    depth = "##" if " " not in path or isinstance(command, click.Group) else "###"
    parts = [f"\n{depth} {path}\n\n```text\n{usage}\n```\n", *_help(command), *_options(command)]
    return "".join(parts)


def _help(command: click.Command) -> Iterator[str]:
    text = inspect.cleandoc(command.help or "")
    for paragraph in re.split(r"\n\s*\n", text):
        if not paragraph.startswith("\b"):
            yield f"\n{paragraph}\n"
            continue
        lines = paragraph.splitlines()[1:]
        end = next((n for n, line in enumerate(lines) if line.startswith("Exit ")), len(lines))
        title, examples = _example(lines[:end])
        rest = lines[end:] if title else lines
        if title:
            yield f"\n{title}:\n\n```sh\n" + "".join(f"{line}\n" for line in examples) + "```\n"
        if rest and rest[0].startswith("Exit statuses:"):
            yield f"\n{' '.join(line.strip() for line in rest)}\n"
        elif rest:
            language = "sh" if all(line.strip().startswith("dbops ") for line in rest) else "text"
            shown = inspect.cleandoc("\n".join(["", *rest]))
            yield f"\n```{language}\n{shown}\n```\n"


def _example(lines: list[str]) -> tuple[str, list[str]]:
    """The title and the command lines behind `Example:`, on its line or on those below."""
    match = re.fullmatch(r"(Examples?[\w ,]*):(.*)", lines[0]) if lines else None
    if match is None:
        return "", []
    below = inspect.cleandoc("\n".join(["", *lines[1:]])).split("\n") if lines[1:] else []
    first = match[2].strip()
    return match[1], [*([first] if first else []), *below]


def _options(command: click.Command) -> Iterator[str]:
    context = click.Context(command)
    options = [item for item in command.params if isinstance(item, click.Option)]
    records = [record for item in options if (record := item.get_help_record(context))]
    if records:
        yield "\n| option | |\n|---|---|\n"
    for flags, meaning in records:
        yield f"| `{_cell(flags)}` | {_cell(meaning)} |\n"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


if __name__ == "__main__":
    print(render(), end="")  # noqa: T201 - this page is what it is run for
