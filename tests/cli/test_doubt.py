"""What commands do when the repository is not as it should be: go on taking backups, and say so."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.crash.processes import Outcome, dbops, start
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


def test_a_source_that_lost_most_of_its_data_is_said(tmp_path: Path) -> None:
    """A backup of less than half the size is taken, named with both sizes, and ends with 4."""
    root = tmp_path / "estate"
    found_test_estate(root)
    (path,) = root.glob("*.db")
    run_sql(path, "CREATE TABLE big AS SELECT hex(randomblob(200000)) AS x;")
    assert dbops(root, "backup", "run", DATABASE).status == 0
    run_sql(path, "DROP TABLE big; VACUUM;")
    found = dbops(root, "backup", "run", DATABASE)
    assert found.status == 4
    assert "error: example@2: less than half of example@1 was there to read: " in found.err
    assert dbops(root, "backup", "run", DATABASE).status == 0


def test_a_repository_that_is_not_there_is_unreachable(root: Path) -> None:
    """An unmounted disk is 11 for every monitor, with what to do."""
    (root / "backups").rename(root / "elsewhere")
    found = dbops(root, "backup", "status")
    assert found.status == 11
    assert found.err == (
        "error: example: repository main is not there\n"
        "hint: check that the disk is mounted; a new one is made by: dbops repository create\n"
    )


def test_a_replaced_repository_takes_no_backup_until_a_person_makes_a_new_one(root: Path) -> None:
    """Somebody else's repository is refused; `repository create` begins again lawfully."""
    (root / "backups" / "repository").write_text(
        '{\n "format": "dbops-repository/1",\n "id": "' + "0" * 32 + '"\n}\n'
    )
    found = dbops(root, "backup", "run", DATABASE)
    assert found.status == 5
    assert "it was replaced" in found.err
    shutil.rmtree(root / "backups")
    made = dbops(root, "repository", "create", "main")
    assert (made.status, made.out) == (
        0,
        f"repository main is ready in {root / 'backups'}\n",
    )
    assert dbops(root, "backup", "run", DATABASE).out.startswith(f"{DATABASE}@1  ")
    again = dbops(root, "repository", "create", "main")
    assert (again.status, again.err) == (
        5,
        "error: repository main is there already; nothing was changed\n"
        "hint: name an empty directory for it in dbops.toml\n",
    )


def test_the_hospitals_key_is_enough_where_the_hosts_own_is_lost(root: Path) -> None:
    """With `--identity` a missing identity of dbops.toml does not stand in the way."""
    (root / "verifier" / "drill").unlink()
    assert restore(root).status == 10
    assert restore(root, "--identity", str(root / "hospital" / "recovery")).status == 0
    stored = dbops(root, "backup", "verify", DATABASE, "--level", "stored")
    assert (stored.status, stored.err) == (0, "")


def test_a_backup_may_be_named_where_a_database_is_asked_for(root: Path) -> None:
    """`restore run example@1` restores that backup."""
    found = dbops(root, "restore", "run", f"{DATABASE}@1", "--to", str(root / "copy.db"))
    assert found.status == 0
    assert found.out.startswith(f"{DATABASE}@1 is in ")


def test_an_estate_whose_state_may_not_be_entered_is_no_bug(root: Path) -> None:
    """Another account lists systems; what it may not see is an error with a path."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another account")
    for place in (root, *root.parents):
        place.chmod(place.stat().st_mode | 0o055)
    command = [sys.executable, "-m", "dbops", "--estate", str(root / "dbops.toml")]
    found = subprocess.run(
        ["setpriv", "--reuid", "nobody", "--clear-groups", *command, "systems", "list"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
    )
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_backup_cleans_up(root: Path, number: int) -> None:
    """A stop by systemd or a lost terminal leaves no private copy and no spool, as Ctrl-C."""
    (path,) = root.glob("*.db")
    run_sql(
        path,
        "CREATE TABLE big AS WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
        " SELECT i, hex(randomblob(40)) AS x FROM n;",
    )
    run = start(root, "backup", "run", DATABASE)
    deadline = time.monotonic() + 30
    while not list(root.glob("*.dbops-copy-*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    run.process.send_signal(number)
    found = run.finish()
    assert found.status == 130
    assert found.err.endswith(
        "error: interrupted\nhint: run the command again; nothing false was left\n"
    )
    assert list(root.glob("*.dbops-copy-*")) == []
    assert list((root / "backups" / "tmp").iterdir()) == []
