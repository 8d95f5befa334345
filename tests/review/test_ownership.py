"""Who can change what decides: the whole path is looked at, with real accounts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbops.errors import Refused
from dbops.review.ownership import check_protected, demo_covers
from tests.fix_tools import require_root
from tests.support.ops_tree import protected_place

STRANGER = 65534
SERVICE = 990


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """`etc/trust/allowed_signers` and `ops` in a directory that is protected along its path."""
    require_root("giving files away")
    with protected_place(tmp_path) as made:
        (made / "etc/trust").mkdir(parents=True)
        (made / "etc/trust/allowed_signers").write_text("x\n")
        (made / "etc/dbops.toml").write_text("x\n")
        (made / "ops").mkdir()
        for path in (made, *made.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield made


def check(place: Path, *, euid: int = 0) -> None:
    """Estate file and trust root are protected, and lie outside the work tree."""
    paths = (place / "etc/dbops.toml", place / "etc/trust")
    check_protected(paths, outside=place / "ops", euid=euid)


def refused(place: Path, *, euid: int = 0) -> Refused:
    """How they are refused."""
    with pytest.raises(Refused) as caught:
        check(place, euid=euid)
    return caught.value


def test_roots_own_files_pass(place: Path) -> None:
    """What root alone can change decides, for root and for dbops' account."""
    check(place)
    check(place, euid=SERVICE)


def test_the_service_accounts_own_files_pass_for_it_alone(place: Path) -> None:
    """Files of dbops' account pass for that account and not for another."""
    os.chown(place / "etc/trust", SERVICE, SERVICE)
    check(place, euid=SERVICE)
    assert refused(place).code == "trust-owner"


@pytest.mark.parametrize("euid", [1000, 1001, 65534])
def test_an_account_that_people_log_in_to_decides_nothing(place: Path, euid: int) -> None:
    """Its owner could change whatever it may read by."""
    found = refused(place, euid=euid)
    assert found.code == "trust-personal"
    assert "is one that people log in to" in found.message


@pytest.mark.parametrize(
    "path", ["etc/dbops.toml", "etc/trust", "etc/trust/allowed_signers", "etc", "."]
)
def test_every_component_belongs_to_us(place: Path, path: str) -> None:
    """A stranger anywhere on the way could change what decides."""
    os.chown(place / path, STRANGER, STRANGER)
    found = refused(place)
    assert found.code == "trust-owner"
    assert str(place / path) in found.message


@pytest.mark.parametrize("mode", [0o020, 0o002])
@pytest.mark.parametrize(
    "path", ["etc/dbops.toml", "etc/trust", "etc/trust/allowed_signers", "etc", "."]
)
def test_no_component_can_be_written_by_others(place: Path, path: str, mode: int) -> None:
    """Group and others may write nothing on the way."""
    target = place / path
    target.chmod(target.stat().st_mode | mode)
    found = refused(place)
    assert found.code == "trust-writable"
    assert str(target) in found.message


def test_the_message_says_who_could_do_what(place: Path) -> None:
    """Path, mode and remedy are named."""
    (place / "etc").chmod(0o775)
    found = refused(place)
    etc = place / "etc"
    assert found.message == (
        f"other accounts can write {etc} (mode 0775), and so change {etc}/dbops.toml"
    )
    assert found.hint == f"chmod go-w {etc}, or keep it elsewhere"


def test_a_sticky_directory_passes_above_a_directory_only(place: Path) -> None:
    """In a place such as /tmp nobody renames our directory, but anybody could make a file."""
    place.chmod(0o1777)
    check(place)
    (place / "etc").chmod(0o1777)
    assert refused(place).code == "trust-writable"
    (place / "etc/dbops.toml").unlink()
    check_protected((place / "etc/trust",), outside=None, euid=0)
    with pytest.raises(Refused) as caught:
        check_protected((place / "etc/absent/trust",), outside=None, euid=0)
    assert caught.value.code == "trust-writable"
    (place / "etc").chmod(0o755)
    (place / "etc/trust").chmod(0o1777)
    with pytest.raises(Refused) as caught:
        check_protected((place / "etc/trust",), outside=None, euid=0)
    assert caught.value.code == "trust-writable"


@pytest.mark.parametrize("path", ["etc/trust/allowed_signers", "etc/trust", "etc"])
def test_a_link_on_the_way_is_refused(place: Path, path: str) -> None:
    """A link could be made to lead elsewhere; the place itself has to be named."""
    target = place / path
    target.rename(place / "real")
    target.symlink_to(place / "real")
    found = refused(place)
    assert found.code == "trust-link"
    assert found.message.startswith(f"{target} on the way to {place}/etc/")


def test_climbing_and_pipes_are_no_way(place: Path) -> None:
    """`..` may mean two things, and a pipe is no file."""
    for path in (place / "etc/../etc/dbops.toml", place / "pipe"):
        if path.name == "pipe":
            os.mkfifo(path)
        with pytest.raises(Refused) as caught:
            check_protected((path,), outside=None, euid=0)
        assert caught.value.code == "trust-link"


def test_what_is_not_there_passes_where_nobody_else_can_make_it(place: Path) -> None:
    """A list of revoked keys need not exist."""
    check_protected((place / "etc/trust/revoked", place / "no/such"), outside=None, euid=0)


def test_nothing_decisive_lies_in_the_work_tree(place: Path) -> None:
    """Engineers write there, even if root owns the files just now."""
    (place / "ops/trust").mkdir(mode=0o755)
    with pytest.raises(Refused) as caught:
        check_protected((place / "ops/trust",), outside=place / "ops", euid=0)
    assert caught.value.code == "trust-inside-worktree"
    assert caught.value.message == (
        f"{place}/ops/trust lies in the work tree {place}/ops, where engineers write"
    )
    (place / "other").symlink_to(place / "ops")
    with pytest.raises(Refused) as caught:
        check_protected((place / "ops/trust",), outside=place / "other", euid=0)
    assert caught.value.code == "trust-inside-worktree"


def test_a_demo_covers_its_own_directory(tmp_path: Path) -> None:
    """Rules marked demo reach what lies beside the estate file, whoever owns it."""
    estate = tmp_path / "demo/dbops.toml"
    (tmp_path / "demo/ops").mkdir(parents=True)
    demo_covers(estate, (tmp_path / "demo/ops", tmp_path / "demo/trust/absent"))
    (tmp_path / "lab.sqlite").touch()
    (tmp_path / "demo/lab.sqlite").symlink_to(tmp_path / "lab.sqlite")
    for path in ("lab.sqlite", "demo/../lab.sqlite", "demo/lab.sqlite", "demonstration"):
        with pytest.raises(Refused) as caught:
            demo_covers(estate, (tmp_path / path,))
        assert caught.value.code == "demo-outside"
    assert caught.value.message == (
        f"the policy is marked demo, and {tmp_path}/demonstration lies outside {tmp_path}/demo"
    )
