"""A restore into a file that is named by its path: that file, and no database by another name."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dbops.errors import Refused

if TYPE_CHECKING:
    from dbops.cli.wiring import Wiring


def refuse_known_file(wiring: Wiring, path: Path) -> None:
    """Raise Refused `target-named` where the file, or one beside it, is a database of the estate.

    The policy's rules and the signed identity go by names: a path must be no way around them.
    """
    from dbops.estate.values import SqliteAddress

    cleared = set(_with_companions(_place(path)))
    for address in (*wiring.estate.databases.values(), *wiring.estate.targets.values()):
        if not isinstance(address, SqliteAddress):
            continue
        places = {_place(address.path), address.path.resolve()}
        known = {each for place in places for each in _with_companions(place)}
        if cleared & known or _is_same(path, address.path):
            raise Refused(
                "target-named",
                f"{path} is a file of {address.name}, whose own rules count",
                hint=f"name it as the estate does: --to {address.name}",
            )


def refuse_linked(path: Path) -> None:
    """Raise Refused `target-link` where the way to the file leads over a symbolic link or `..`.

    What was approved is the place that the path names, not where a link leads today.
    """
    if _place(path) != path or path.is_symlink():
        raise Refused(
            "target-link",
            f"the way to {path} leads over a link, so it is not the place that was approved",
            hint=f"have the place itself approved: readlink -f {shlex.quote(str(path.parent))}",
        )


def _place(path: Path) -> Path:
    """Where a file of that name is removed and made: links above it are followed, itself not."""
    return path.parent.resolve() / path.name


def _with_companions(path: Path) -> Iterator[Path]:
    """The file, and those that a restore clears away with it."""
    from dbops.engines.sqlite.restore import COMPANIONS

    yield path
    for end in COMPANIONS:
        yield path.with_name(path.name + end)


def _is_same(path: Path, other: Path) -> bool:
    """Whether both are one file by other names, such as below a bind mount."""
    try:
        return path.samefile(other)
    except OSError:
        return False
