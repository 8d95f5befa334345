"""Anchors keep the newest checkpoint, and take none that does not continue what they have."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.anchor import Anchor, anchor_name, publish_checkpoint
from dbops.audit.checkpoint import Checkpoint, claimed_checkpoint
from dbops.errors import DbopsError, Refused, Unreachable
from dbops.stores.directory_anchor import DirectoryAnchor
from dbops.stores.git_anchor import GitAnchor
from dbops.stores.local import LocalStore
from tests.audit.ledgers import ORIGIN, MadeLedger, make_ledger, new_signer
from tests.fix_tools import require_tool


def git(directory: Path, *arguments: str) -> str:
    """Git as a person uses it."""
    name = ["-c", "user.name=it", "-c", "user.email=it@hospital", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *name, "-C", str(directory), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def clone(remote: Path, path: Path) -> Path:
    """A clone of the hospital's repository."""
    git(remote, "clone", "--quiet", str(remote), str(path))
    return path


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """The hospital's repository, with nothing in it."""
    require_tool("git", "git")
    path = tmp_path / "hospital.git"
    path.mkdir()
    git(path, "init", "--quiet", "--bare")
    return path


@pytest.fixture(params=["directory", "git", "git-without-remote"])
def anchor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Anchor]:
    """Every kind of anchor."""
    if request.param == "directory":
        yield DirectoryAnchor(LocalStore(tmp_path / "anchor", "anchor hospital"))
    elif request.param == "git":
        remote = request.getfixturevalue("remote")
        yield GitAnchor(clone(remote, tmp_path / "clone"), "anchor hospital")
    else:
        require_tool("git", "git")
        (tmp_path / "clone").mkdir()
        git(tmp_path / "clone", "init", "--quiet")
        yield GitAnchor(tmp_path / "clone", "anchor hospital")


@pytest.fixture
def made(tmp_path: Path) -> MadeLedger:
    """A ledger of 13 entries."""
    return make_ledger(tmp_path / "audit", new_signer(tmp_path / "key"))


def publish(anchor: Anchor, made: MadeLedger, note: str) -> Checkpoint:
    """Publish it."""
    return publish_checkpoint(anchor, note, made.tiles, made.trust, made.clock.now)


def refused(anchor: Anchor, made: MadeLedger, note: str) -> str:
    """The code with which publishing is refused; what is anchored stays as it is."""
    before = anchor.newest(ORIGIN)
    with pytest.raises(Refused) as caught:
        publish(anchor, made, note)
    assert anchor.newest(ORIGIN) == before
    return caught.value.code


def test_the_newest_is_kept(anchor: Anchor, made: MadeLedger) -> None:
    """Notes are kept as they were signed, and the one with the most entries is given."""
    assert anchor.newest(ORIGIN) is None
    first = made.note()
    assert publish(anchor, made, first).size == 13
    assert anchor.newest(ORIGIN) == first
    assert publish(anchor, made, first).size == 13
    made.write(1000)
    second = made.note()
    assert publish(anchor, made, second).size == 1013
    assert anchor.newest(ORIGIN) == second
    assert anchor.newest("hospital/dbops/backup") is None
    assert anchor.newest("hospital/dbops") is None
    assert anchor.title == "anchor hospital"


def test_older_and_other_ones_are_refused(anchor: Anchor, made: MadeLedger, tmp_path: Path) -> None:
    """A ledger that was shortened, or written anew, cannot be anchored over the old one."""
    first = made.note()
    other = made.copy(tmp_path / "other")
    made.write(4)
    publish(anchor, made, made.note())
    assert refused(anchor, made, first) == "anchor-ahead"
    other.clock.now += timedelta(seconds=30)
    other.write(6)
    assert refused(anchor, other, other.note()) == "anchor-fork"


def test_a_second_note_of_the_same_size_is_a_fork(
    anchor: Anchor, made: MadeLedger, tmp_path: Path
) -> None:
    """The place itself never replaces what it has."""
    other = made.copy(tmp_path / "other")
    made.write(2)
    other.clock.now += timedelta(seconds=30)
    other.write(2)
    note = made.note()
    publish(anchor, made, note)
    with pytest.raises(Refused) as caught:
        anchor.publish(other.note(), claimed_checkpoint(other.note()))
    assert caught.value.code == "anchor-fork"
    assert anchor.newest(ORIGIN) == note


def test_a_strangers_note_is_no_anchor(anchor: Anchor, made: MadeLedger, tmp_path: Path) -> None:
    """Neither is it published, nor is anything built upon it."""
    stranger = make_ledger(tmp_path / "stranger", new_signer(tmp_path / "other"))
    assert refused(anchor, made, stranger.note()) == "note-unknown"
    anchor.publish(stranger.note(), claimed_checkpoint(stranger.note()))
    assert refused(anchor, made, made.note()) == "anchor-untrusted"


class TestGit:
    """What only git can do."""

    def test_the_remote_has_it(self, remote: Path, made: MadeLedger, tmp_path: Path) -> None:
        """What is published stands in the remote, and the clone's own changes do not."""
        path = clone(remote, tmp_path / "clone")
        (path / "draft").write_text("not to be committed")
        note = made.note()
        publish(GitAnchor(path, "hospital"), made, note)
        name = anchor_name(ORIGIN, 13)
        assert git(remote, "ls-tree", "-r", "--name-only", "HEAD").split() == [name]
        assert git(remote, "cat-file", "blob", f"HEAD:{name}") == note
        assert git(remote, "log", "--format=%an %s").strip() == (
            "dbops Checkpoint of backup-1: 13 entries"
        )

    def test_other_hosts_push_too(self, remote: Path, made: MadeLedger, tmp_path: Path) -> None:
        """Two hosts share a branch; each catches up with the other."""
        other = MadeLedger(tmp_path / "other", made.signer, "hospital/dbops/backup-2")
        other.write(3)
        anchors = [GitAnchor(clone(remote, tmp_path / name), name) for name in ("a", "b")]
        for round_ in range(2):
            for anchor, ledger in zip(anchors, (made, other), strict=True):
                ledger.write(2)
                assert publish(anchor, ledger, ledger.note()).size > round_
        assert len(git(remote, "ls-tree", "-r", "--name-only", "HEAD").split()) == 4
        for anchor in anchors:
            assert anchor.newest(other.origin) == (other.directory / "checkpoint").read_text()

    def test_a_rewound_clone_learns_from_the_remote(
        self, remote: Path, made: MadeLedger, tmp_path: Path
    ) -> None:
        """Whoever is root here can rewind the clone, and not what the hospital has."""
        path = clone(remote, tmp_path / "clone")
        anchor = GitAnchor(path, "hospital")
        first = made.note()
        publish(anchor, made, first)
        made.write(2)
        second = made.note()
        publish(anchor, made, second)
        git(path, "reset", "--quiet", "--hard", "HEAD~1")
        assert anchor.newest(ORIGIN) == second
        assert refused(anchor, made, first) == "anchor-ahead"

    def test_two_notes_of_one_size_do_not_join(
        self, remote: Path, made: MadeLedger, tmp_path: Path
    ) -> None:
        """A note that was committed here and not pushed never hides another one of the remote."""
        paths = [clone(remote, tmp_path / name) for name in ("a", "b")]
        publish(GitAnchor(paths[0], "a"), made, made.note())
        other = MadeLedger(tmp_path / "other", made.signer)
        other.clock.now += timedelta(seconds=30)
        other.write(12)
        (paths[1] / anchor_name(ORIGIN, 13)).parent.mkdir(parents=True)
        (paths[1] / anchor_name(ORIGIN, 13)).write_text(other.note(), "utf-8")
        git(paths[1], "add", ".")
        git(paths[1], "commit", "--quiet", "-m", "by hand")
        with pytest.raises(Refused) as caught:
            GitAnchor(paths[1], "b").newest(ORIGIN)
        assert caught.value.code == "anchor-diverged"
        assert caught.value.message == "b does not continue what its clone on this host knows"
        assert git(paths[1], "status", "--porcelain") == ""

    def test_a_remote_that_is_away_is_said(self, made: MadeLedger, tmp_path: Path) -> None:
        """Nothing is taken from the clone instead."""
        path = tmp_path / "clone"
        path.mkdir()
        git(path, "init", "--quiet")
        git(path, "remote", "add", "origin", str(tmp_path / "away"))
        with pytest.raises(Unreachable) as caught:
            publish(GitAnchor(path, "hospital"), made, made.note())
        assert caught.value.code == "git-remote"

    def test_what_is_no_clone_is_refused(self, tmp_path: Path) -> None:
        """A directory without a repository is not one."""
        with pytest.raises(DbopsError) as caught:
            GitAnchor(tmp_path, "hospital").newest(ORIGIN)
        assert caught.value.code == "git-repository"
