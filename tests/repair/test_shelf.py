"""Playbooks are found: the hospital's own first, and what cannot be read is said, not hidden."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import dbops
from dbops.errors import Failed, NotFound, Refused
from dbops.repair.shelf import find_playbook, list_playbooks, shipped_playbooks
from tests.repair.test_playbook import BOOK, SQL


def put(shelf: Path, name: str, text: str = BOOK, title: str = "Move visits") -> Path:
    folder = shelf / name
    folder.mkdir(parents=True)
    written = text.replace("name: move", f"name: {name}").replace("Move visits", title)
    (folder / "playbook.yml").write_text(written, "utf-8")
    (folder / "repair.sql").write_bytes(SQL)
    (folder / "README.md").write_text(f"# {title}\n", "utf-8")
    return folder


def test_the_hospitals_own_comes_first(tmp_path: Path) -> None:
    """It may adapt one that is shipped, under the same name."""
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    put(own, "move", title="As we do it")
    put(shipped, "move")
    put(shipped, "close")
    found = list_playbooks([own, shipped])
    assert [(each.name, each.folder) for each in found] == [
        ("close", shipped / "close"),
        ("move", own / "move"),
    ]
    move = find_playbook("move", [own, shipped])
    assert move.playbook is not None
    assert (move.playbook.title, move.page) == ("As we do it", "# As we do it\n")


def test_what_cannot_be_read_is_listed_with_its_fault(tmp_path: Path) -> None:
    """One broken folder does not hide the others; asked for, it says what is wrong."""
    put(tmp_path, "good")
    put(tmp_path, "bad", "dbops: playbook/v1\n")
    (tmp_path / "notes").mkdir()
    (tmp_path / "README.md").touch()
    good, bad = sorted(list_playbooks([tmp_path]), key=lambda each: each.name, reverse=True)
    assert (good.name, good.fault) == ("good", None)
    assert (bad.name, bad.playbook) == ("bad", None)
    assert bad.fault is not None
    assert bad.fault.code == "repair-missing-key"
    with pytest.raises(Refused) as caught:
        find_playbook("bad", [tmp_path])
    assert caught.value.message == "bad/playbook.yml line 1: name is missing"


def test_one_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    """A typing error is the usual reason."""
    put(tmp_path, "move-visits")
    with pytest.raises(NotFound) as caught:
        find_playbook("move-visit", [tmp_path, tmp_path / "absent"])
    assert (caught.value.code, caught.value.message) == (
        "playbook-unknown",
        "there is no playbook move-visit",
    )
    assert caught.value.hint == 'did you mean "move-visits"? dbops playbook list: move-visits'


@pytest.mark.parametrize("name", ["../move", ".", "", "/etc", "move/../move"])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    """It is compared with the names that are there, and opens nothing."""
    put(tmp_path, "move")
    with pytest.raises(NotFound):
        find_playbook(name, [tmp_path])


@pytest.mark.parametrize("what", ["link", "pipe", "folder", "long"])
def test_only_plain_files_are_read(tmp_path: Path, what: str) -> None:
    """No link is followed, and nothing waits for a pipe."""
    script = put(tmp_path, "move") / "repair.sql"
    script.unlink()
    if what == "link":
        (tmp_path / "elsewhere").write_bytes(SQL)
        script.symlink_to(tmp_path / "elsewhere")
    elif what == "pipe":
        os.mkfifo(script)
    elif what == "folder":
        script.mkdir()
    else:
        with script.open("wb") as made:
            made.truncate((4 << 20) + 1)
    codes = {"link": "ELOOP", "pipe": "EINVAL", "folder": "EISDIR", "long": "EFBIG"}
    with pytest.raises(Failed) as caught:
        find_playbook("move", [tmp_path])
    assert (caught.value.code, caught.value.message) == (
        "playbook-unreadable",
        f"{script} cannot be read ({codes[what]})",
    )


def test_the_shipped_ones_are_found_inside_of_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel holds them in the package; what lies beside it is somebody else's."""
    package = tmp_path / "dbops"
    (tmp_path / "playbooks").mkdir()
    package.mkdir()
    monkeypatch.setattr(dbops, "__file__", str(package / "__init__.py"))
    assert shipped_playbooks() is None
    (tmp_path / "pyproject.toml").touch()
    assert shipped_playbooks() == tmp_path / "playbooks"
    (package / "playbooks").mkdir()
    assert shipped_playbooks() == package / "playbooks"
