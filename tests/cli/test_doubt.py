"""What commands do when the repository is not as it should be: go on taking backups, and say so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.crash.processes import Outcome, dbops
from tests.support.estate import DATABASE, found_test_estate, run_sql


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working estate with two backups."""
    root = tmp_path_factory.mktemp("doubt") / "estate"
    found_test_estate(root)
    for _ in range(2):
        assert dbops(root, "backup", "run", DATABASE).status == 0
    return root


@pytest.fixture
def root(founded: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return shutil.copytree(founded, tmp_path / "estate", symlinks=True)


def manifests(root: Path) -> list[Path]:
    return sorted((root / "backups" / "db" / DATABASE / "manifest").iterdir())


def restore(root: Path, *words: str) -> Outcome:
    return dbops(root, "restore", "run", DATABASE, "--to", str(root / "copy.db"), *words)


def test_a_restore_of_the_newest_is_refused_where_the_newest_was_removed(root: Path) -> None:
    """An older backup is not quietly taken for the newest; named, it is restored, and status 4."""
    manifests(root)[-1].unlink()
    found = restore(root)
    assert found.status == 5
    assert found.err == (
        "error: the backups of example are not whole, so the newest is not known: example@2:"
        " this host has seen it, and the repository no longer holds it\n"
        "hint: choose one: dbops backup list example, then add --backup ID\n"
    )
    assert not (root / "copy.db").exists()
    named = restore(root, "--backup", f"{DATABASE}@1")
    assert named.status == 4
    assert "error: example@2: this host has seen it" in named.err
    assert (root / "copy.db").exists()


def test_the_night_goes_on_behind_a_removed_backup(root: Path) -> None:
    """The next backup takes the next number, the gap stays in sight, and the status is 4."""
    manifests(root)[-1].unlink()
    found = dbops(root, "backup", "run", DATABASE)
    assert found.status == 4
    assert "example@3" in found.out
    listed = json.loads(dbops(root, "backup", "list", "--json").out)
    assert [item["backup"] for item in listed["backups"]] == ["example@1", "example@3"]
    assert [item["subject"] for item in listed["damages"]] == ["example@2"]


def test_a_junk_manifest_does_not_end_the_chain(root: Path) -> None:
    """A file with the last number there is neither counts nor hides what comes after it."""
    junk = manifests(root)[0].with_name("99999999-" + "0" * 32)
    junk.write_text("junk")
    assert dbops(root, "backup", "run", DATABASE).status == 4
    junk.unlink()
    listed = json.loads(dbops(root, "backup", "list", "--json").out)
    assert [item["backup"] for item in listed["backups"]] == [
        f"{DATABASE}@{number}" for number in (1, 2, 3)
    ]
    assert listed["damages"] == []


def test_an_overwriting_restore_without_an_identity_changes_nothing(root: Path) -> None:
    """The database stays as it was where nothing opens the backup's packs."""
    text = (root / "dbops.toml").read_text("utf-8")
    (root / "dbops.toml").write_text(
        text.replace('identities = ["verifier/drill"]\n', 'identities = ["keys/catalogue"]\n')
    )
    copy = root / "copy.db"
    copy.write_bytes(b"precious")
    found = restore(root, "--overwrite", str(copy))
    assert found.status == 12
    assert copy.read_bytes() == b"precious"


def test_another_database_under_the_same_name_is_said_once(root: Path) -> None:
    """Its identity differs from the last backup's: status 4 this time, and not the next."""
    (path,) = root.glob("*.db")
    run_sql(path, "PRAGMA application_id = 7;")
    found = dbops(root, "backup", "run", DATABASE)
    assert found.status == 4
    assert (
        "error: example@3: another database than example@2:"
        " the engine's own identity has changed\n" in found.err
    )
    assert dbops(root, "backup", "run", DATABASE).status == 0
