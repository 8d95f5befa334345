"""Which estate file is in use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbops.errors import NotFound, Refused
from dbops.estate.load import find_estate
from tests.estate.example import written
from tests.fix_tools import require_root


def test_explicit_wins(tmp_path: Path) -> None:
    """The file that was named on the command line is used before any other."""
    other = tmp_path / "other"
    other.mkdir()
    named, here = written(other, ""), written(tmp_path, "")
    environ = {"DBOPS_ESTATE": str(here)}
    assert find_estate(Path("other/dbops.toml"), environ, tmp_path) == named
    assert find_estate(other, environ, tmp_path) == named


def test_then_environment_then_here_then_machine(tmp_path: Path) -> None:
    """DBOPS_ESTATE comes before the current directory, and that before the machine's file."""
    rooms = {name: tmp_path / name for name in ("env", "here", "etc")}
    for room in rooms.values():
        room.mkdir()
    paths = {name: written(room, "") for name, room in rooms.items()}
    environ = {"DBOPS_ESTATE": str(paths["env"])}
    system = paths["etc"]
    assert find_estate(None, environ, rooms["here"], system_file=system) == paths["env"]
    assert find_estate(None, {}, rooms["here"], system_file=system) == paths["here"]
    empty = {"DBOPS_ESTATE": ""}
    assert find_estate(None, empty, tmp_path, system_file=system) == system


def test_named_file_that_is_missing_is_not_replaced(tmp_path: Path) -> None:
    """A named file that is not there is an error, even where another lies at hand."""
    written(tmp_path, "")
    for explicit, environ in ((Path("x.toml"), {}), (None, {"DBOPS_ESTATE": "x.toml"})):
        with pytest.raises(NotFound) as caught:
            find_estate(explicit, environ, tmp_path)
        assert caught.value.message == f"no x.toml found in {tmp_path}"


def test_none_anywhere(tmp_path: Path) -> None:
    """Without any file the current directory is named and the hint makes one."""
    with pytest.raises(NotFound) as caught:
        find_estate(None, {}, tmp_path, system_file=tmp_path / "etc" / "dbops.toml")
    assert caught.value.code == "no-estate"
    assert caught.value.message == f"no dbops.toml found in {tmp_path}"
    assert caught.value.hint == "dbops init"


def test_a_strangers_file_is_used_only_where_it_is_named(tmp_path: Path) -> None:
    """It can name programs: who stands in the directory by chance does not run them."""
    here = written(tmp_path, "")
    here.chmod(0o646)
    with pytest.raises(Refused) as caught:
        find_estate(None, {}, tmp_path)
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "estate-stranger",
        f"{here} belongs to another account, or everybody can write it",
        f"if it is the one you mean, name it: dbops --estate {here}",
    )
    assert find_estate(here, {}, tmp_path) == here
    require_root("files of another account")
    here.chmod(0o644)
    assert find_estate(None, {}, tmp_path) == here
    os.chown(here, 4711, 4711)
    with pytest.raises(Refused):
        find_estate(None, {}, tmp_path)
