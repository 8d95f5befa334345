"""What SQLite says, translated: result codes and names only, because its words may hold values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from dbops.errors import DbopsError, Failed, NotFound, Refused, Unreachable

BUSY_SECONDS = 10


@contextmanager
def translated(name: str, path: Path) -> Iterator[None]:
    """Turn apsw's errors into ones that say what to do about the database called `name`."""
    try:
        yield
    except apsw.Error as failure:
        raise _fault(failure, name, path) from None
    except UnicodeDecodeError:
        raise _corrupt(name) from None


def _fault(failure: apsw.Error, name: str, path: Path) -> DbopsError:
    match failure:
        case apsw.BusyError() | apsw.LockedError():
            return Unreachable(
                "database-locked",
                f"{name} is locked by a writer and stayed so for {BUSY_SECONDS} seconds",
                hint=f"end the writing program, or wait for it: fuser -v {path}",
            )
        case apsw.NotADBError():
            return Failed(
                "not-a-database",
                f"{name} is not a SQLite database, or it is encrypted",
                hint=f"check the path in dbops.toml; look at its first bytes: head -c 16 {path}",
            )
        case apsw.CorruptError():
            return _corrupt(name)
        case apsw.CantOpenError():
            return missing(name, path)
        case apsw.FullError():
            return Failed(
                "no-space",
                f"there is no space left beside {name} for its copy",
                hint=f"free as much as the database is large: df -h {path.parent}",
            )
        case apsw.ReadOnlyError() | apsw.PermissionsError() | apsw.AuthError():
            return not_readable(name, path)
    return Failed(
        "sqlite-error",
        f"{name}: SQLite reports {_code_name(failure)}",
        hint="dbops doctor checks every database",
    )


def missing(name: str, path: Path) -> NotFound:
    """The error for a file that is not there, or is none."""
    return NotFound(
        "database-missing",
        f"{name}: {path} cannot be opened",
        hint=f"check the path in dbops.toml and its owner: ls -l {path}",
    )


def not_readable(name: str, path: Path) -> Refused:
    """The error for a file that this account may not read."""
    return Refused(
        "database-not-readable",
        f"{name}: this account may not read {path}",
        hint=f"give it read access to the file and its directory: ls -l {path}",
    )


def not_writable(name: str, path: Path) -> Refused:
    """The error for a file that this account may not write."""
    return Refused(
        "database-read-only",
        f"{name} cannot be written here",
        hint=f"give this account write access to the file and its directory: ls -l {path}",
    )


def _corrupt(name: str) -> Failed:
    return Failed(
        "database-corrupt",
        f"{name} is corrupt: SQLite cannot read all of it",
        hint="keep the file as it is, and restore the last proven backup: dbops backup list",
    )


def _code_name(failure: apsw.Error) -> str:
    code = getattr(failure, "extendedresult", 0)
    return str(apsw.mapping_extended_result_codes.get(code, f"code {code}"))
