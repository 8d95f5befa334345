"""Where playbooks stand: the hospital's own directory, and those that come with dbops."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dbops
from dbops.errors import DbopsError, Failed, NotFound
from dbops.repair.playbook import PAGE, PLAYBOOK, Playbook, parse_playbook
from dbops.review.work import SCRIPT
from dbops.wording import suggestion

_FILES: Final = (PLAYBOOK, SCRIPT, PAGE)
_MOST: Final = 4 << 20  # bytes of one file
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """A playbook's folder. `playbook` is None, and `fault` says why, where it cannot be read.

    `page` is the text that explains it, empty where there is none.
    """

    name: str
    folder: Path
    playbook: Playbook | None
    page: str
    fault: DbopsError | None


def shipped_playbooks() -> Path | None:
    """Return the directory that came with this dbops, in a wheel or in a work tree; None if none.

    A wheel holds it inside of the package, a work tree beside it.
    """
    package = Path(dbops.__file__).parent
    inside, beside = package / "playbooks", package.parent / "playbooks"
    if inside.is_dir():
        return inside
    # What else lies beside an installed package is not ours.
    return beside if (package.parent / "pyproject.toml").is_file() and beside.is_dir() else None


def list_playbooks(shelves: Sequence[Path]) -> tuple[Found, ...]:
    """Return the playbooks of these directories by name; of two with one name, the first shelf's.

    What cannot be read is listed with its fault. A directory that is not there holds none. Raises
    Failed `playbook-unreadable` for one that cannot be listed.
    """
    found: dict[str, Found] = {}
    for shelf in shelves:
        for folder in _folders(shelf):
            if folder.name not in found:
                found[folder.name] = _look(folder)
    return tuple(found[name] for name in sorted(found))


def find_playbook(name: str, shelves: Sequence[Path]) -> Found:
    """Return the playbook of that name, read well; raises NotFound `playbook-unknown`.

    Raises what is wrong with it where it cannot be read.
    """
    for shelf in shelves:
        for folder in _folders(shelf):
            if folder.name == name:
                found = _look(folder)
                if found.fault is not None:
                    raise found.fault
                return found
    known = [each.name for each in list_playbooks(shelves)]
    raise NotFound(
        "playbook-unknown",
        f"there is no playbook {name[:60]}",
        hint=suggestion(name, known, label="dbops playbook list"),
    )


def _folders(shelf: Path) -> Iterator[Path]:
    """The folders of a shelf that hold a playbook."""
    try:
        names = sorted(os.listdir(shelf))  # noqa: PTH208 - a name that is no text must not stop it
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as failure:
        raise _unreadable(shelf, failure) from None
    for name in names:
        if os.path.lexists(shelf / name / PLAYBOOK):
            yield shelf / name


def _look(folder: Path) -> Found:
    try:
        files = {name: data for name in _FILES if (data := _read(folder / name)) is not None}
        playbook = parse_playbook(files, folder.name)
        page = files.get(PAGE, b"").decode("utf-8", "replace")
        return Found(folder.name, folder, playbook, page, None)
    except DbopsError as fault:
        return Found(folder.name, folder, None, "", fault)


def _read(path: Path) -> bytes | None:
    """The bytes of a plain file; None where there is none. No link is followed, no pipe read."""
    try:
        with os.fdopen(os.open(path, _FILE), "rb") as source:
            plain = stat.S_ISREG(os.fstat(source.fileno()).st_mode)
            data = source.read(_MOST + 1) if plain else b""
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise _unreadable(path, failure) from None
    if not plain or len(data) > _MOST:
        raise _unreadable(path, OSError(errno.EFBIG if plain else errno.EINVAL, ""))
    return data


def _unreadable(path: Path, failure: OSError) -> Failed:
    code = errno.errorcode.get(failure.errno or 0, "unknown error")
    return Failed(
        "playbook-unreadable",
        f"{path} cannot be read ({code})",
        hint="a playbook is a folder of plain files: playbook.yml, repair.sql and README.md",
    )
