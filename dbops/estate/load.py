"""Finding `dbops.toml`, reading it, and saying in one sentence what is wrong with it."""

from __future__ import annotations

import ast
import os
import re
import shlex
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

import platformdirs
from pydantic import ValidationError

from dbops.errors import Failed, NotFound, Refused, UsageFault
from dbops.estate.document import Document
from dbops.estate.faults import faults_of, usage_fault
from dbops.estate.resolve import reference_faults, resolve
from dbops.estate.values import Estate
from dbops.wording import key_path, quoted

FILE_NAME = "dbops.toml"
VARIABLE = "DBOPS_ESTATE"
SYSTEM_FILE = Path("/etc/dbops") / FILE_NAME

_LARGEST = 4 * 1024 * 1024
_TOML_PLACE = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), .*|end of document)\)", re.S)
_TABLE_TWICE = re.compile(r"Cannot declare (?P<table>\(.*\)) twice", re.S)
_KEY_AT_START = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


def find_estate(
    explicit: Path | None,
    environ: Mapping[str, str],
    cwd: Path,
    *,
    system_file: Path = SYSTEM_FILE,
) -> Path:
    """Return the absolute path of the estate file in use.

    That is the `explicit` one, else the one that DBOPS_ESTATE names, else `dbops.toml` in `cwd`,
    else the one of the machine. What was named counts even if it is not there: a backup of some
    other estate would be worse than none. A directory stands for the `dbops.toml` in it.

    Raises NotFound `no-estate`, and Refused `estate-stranger` where the file of `cwd` is somebody
    else's: it can name programs to run, and nobody named it.
    """
    named = explicit or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    if named is None:
        found = next((each for each in (cwd / FILE_NAME, system_file) if _is_there(each)), None)
        if found is None:
            raise _no_estate(cwd)
        if found != system_file:
            _refuse_strangers(found)
        return found
    path = cwd / named
    path = path / FILE_NAME if path.is_dir() else path
    if not _is_there(path):
        raise _no_estate(path.parent, path.name)
    return path


def load_estate(path: Path) -> Estate:
    """Return the estate that the file at `path` describes, every path and reference resolved.

    Raises NotFound `no-estate`; Failed `estate-unreadable`; UsageFault for anything wrong in the
    file, with its key path or its line: the first fault of the file in full, the others counted.
    """
    path = path.absolute()
    raw = _parse(path.name, _read(path))
    try:
        file = Document.model_validate(raw)
    except ValidationError as error:
        # Not chained: what pydantic prints may hold a password that stood in the wrong place.
        raise usage_fault(path.name, raw, faults_of(raw, error)) from None
    faults = list(reference_faults(file))
    if faults:
        raise usage_fault(path.name, raw, faults)
    return resolve(path, file, state=platformdirs.user_state_path("dbops", appauthor=False))


def _refuse_strangers(path: Path) -> None:
    """Whoever stands in a directory by chance does not run what another account put there."""
    try:
        status = path.stat()
    except OSError:
        return  # told when it is read
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & stat.S_IWOTH:
        raise Refused(
            "estate-stranger",
            f"{path} belongs to another account, or everybody can write it",
            hint=f"if it is the one you mean, name it: dbops --estate {shlex.quote(str(path))}",
        )


def _is_there(path: Path) -> bool:
    """Return False only where nothing is; what cannot be looked at is there, and read later."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _no_estate(directory: Path, name: str = FILE_NAME) -> NotFound:
    return NotFound("no-estate", f"no {name} found in {directory}", hint="dbops init")


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise _unreadable(path, "is not a file of at most 4 MiB")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _no_estate(path.parent, path.name) from None
    except PermissionError:
        raise _unreadable(path, "may not be read by this account") from None
    except OSError as error:
        raise _unreadable(path, f"cannot be read (errno {error.errno})") from None


def _unreadable(path: Path, why: str) -> Failed:
    return Failed("estate-unreadable", f"{path} {why}", hint=f"ls -l {path}")


def _parse(file: str, content: bytes) -> dict[str, object]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _not_toml(file, line, "not UTF-8", hint="save the file as UTF-8") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _explain(file, text, str(error)) from None
    except (ValueError, RecursionError):
        message = f"{file}: a number is too long or a value is nested too deeply"
        raise UsageFault("estate-not-toml", message, hint=_TOML_HINT) from None


_TOML_HINT = "the syntax is TOML: https://toml.io"


def _not_toml(file: str, line: int, message: str, *, hint: str = _TOML_HINT) -> UsageFault:
    return UsageFault("estate-not-toml", f"{file}: line {line}: {message}", hint=hint)


def _explain(file: str, text: str, message: str) -> UsageFault:
    """Return the error for what the TOML parser said; it has no fields, only a sentence.

    Its sentences quote single characters and keys, never values.
    """
    lines = text.rstrip("\n").split("\n")
    place = _TOML_PLACE.fullmatch(message)
    what = place["what"] if place else message
    line = int(place["line"]) if place and place["line"] else len(lines)
    table = _TABLE_TWICE.fullmatch(what)
    if table:
        name = key_path(ast.literal_eval(table["table"]))
        return _not_toml(file, line, f"table {name} is declared twice", hint="remove one of them")
    if what == "Cannot overwrite a value":
        key = _KEY_AT_START.match(lines[line - 1])
        named = f"key {quoted(key[1])}" if key else "a key"
        return _not_toml(file, line, f"{named} is given twice", hint="remove one of them")
    return _not_toml(file, line, what[:1].lower() + what[1:])
