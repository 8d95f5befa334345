"""How things look: errors, tables, JSON, sizes and ages. Output to a pipe has no colour.

Data goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from dbops.errors import DbopsError
from dbops.wording import number


def show_error(error: DbopsError, *, as_json: bool) -> None:
    """Two lines on standard error; with `--json` also an object on standard output."""
    if as_json:
        show_json({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
    click.echo(f"{click.style('error:', fg='red')} {error.message}", err=True)
    click.echo(f"{click.style('hint:', fg='cyan')} {error.hint}", err=True)


def show_json(value: object) -> None:
    """One JSON document, UTF-8, keys as given."""
    click.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))


def show_table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> None:
    """A table that needs no colour to be understood; wide (Chinese) characters are aligned."""
    from tabulate import tabulate  # with its wcwidth a good part of the start of any command

    click.echo(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))


def say(text: str) -> None:
    """A line for the person, not for a pipe."""
    click.echo(text, err=True)


def counted(count: int, thing: str) -> str:
    """A number and what it counts: `1 table`, `20,000 rows`."""
    return f"{count} {thing}" if count == 1 else f"{number(count)} {thing}s"


def age(length: timedelta) -> str:
    """A length of time in its two largest units."""
    seconds = max(0, int(length.total_seconds()))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {seconds}s" if minutes else f"{seconds}s"


def moment(when: datetime | None, zone: ZoneInfo) -> str:
    """A time as the hospital's clocks show it."""
    return when.astimezone(zone).strftime("%Y-%m-%d %H:%M") if when else "never"


def plain(value: object) -> Any:
    """What JSON can hold of a frozen value; anything unknown is a bug."""
    from dbops.repository.manifest import BackupId

    if isinstance(value, BackupId):
        return str(value)
    if isinstance(value, Enum):
        return value.name.lower() if isinstance(value.value, int) else value.value
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {
            field.name: plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.repr
        }
    raise TypeError(f"{type(value).__name__} has no JSON form")
