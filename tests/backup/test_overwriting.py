"""Nothing is removed for a restore that cannot succeed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dbops.backup.contents import BackupContents
from dbops.backup.ports import RestoreOrder
from dbops.backup.restore import restore_backup
from dbops.crypto.age import Identity
from dbops.errors import DbopsError, Failed, NoIdentity, Refused
from dbops.repository.layout import pack_name
from tests.support.estate import (
    DATABASE,
    BuiltEstate,
    contents_of,
    found_test_estate,
    ignore_progress,
    take_backup,
)
from tests.support.memory_engine import MemoryEngine

ROWS = {"ward": (b"1\tA", b"2\tB")}
THERE = {"old": (b"precious",)}


@pytest.fixture
def estate(tmp_path: Path) -> BuiltEstate:
    estate = found_test_estate(tmp_path / "estate")
    take_backup(estate, engine=MemoryEngine(dict(ROWS)))
    return estate


def overwrite(target: MemoryEngine, contents: BackupContents) -> None:
    restore_backup(
        target,
        "lab",
        contents,
        RestoreOrder(),
        overwrite=True,
        compare=False,
        advance=ignore_progress,
    )


def test_an_identity_that_opens_no_pack_leaves_the_target(estate: BuiltEstate) -> None:
    """The host's catalogue key opens the catalogue and nothing more: the target stays."""
    contents = replace(contents_of(estate), identities=(Identity.generate(),))
    target = MemoryEngine(dict(THERE))
    with pytest.raises(NoIdentity):
        overwrite(target, contents)
    assert target.tables == THERE


def test_a_damaged_pack_leaves_the_target(estate: BuiltEstate) -> None:
    """Every range is read before anything is removed."""
    contents = contents_of(estate)
    name = pack_name(DATABASE, contents.envelope.packs[0].sha256)
    path = estate.root / "backups" / name
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    target = MemoryEngine(dict(THERE))
    with pytest.raises(Failed) as caught:
        overwrite(target, contents)
    assert caught.value.code == "backup-damaged"
    assert caught.value.hint == "choose another backup: dbops backup list example"
    assert target.tables == THERE


def test_an_unfit_target_keeps_what_it_holds(estate: BuiltEstate) -> None:
    """A role that the server lacks is found out before the database is dropped."""
    target = MemoryEngine(dict(THERE), unfit=True)
    with pytest.raises(Refused) as caught:
        overwrite(target, contents_of(estate))
    assert caught.value.code == "role-missing"
    assert target.tables == THERE


def test_a_good_backup_replaces_the_target(estate: BuiltEstate) -> None:
    """With everything in order the target holds the backup and nothing else."""
    target = MemoryEngine(dict(THERE))
    overwrite(target, contents_of(estate))
    assert target.tables == ROWS


def test_what_a_restore_did_not_read_is_read_before_it_counts(estate: BuiltEstate) -> None:
    """Ranges that were read whole are remembered, and only those."""
    contents = contents_of(estate)
    (stream,) = contents.streams
    with contents.open() as reader:
        blocks = reader.read(stream)
        next(blocks)
        assert contents.seen == set()
        for _ in blocks:
            pass
    assert contents.seen == {(stream.name, part.index) for part in stream.ranges}


def test_errors_before_removal_are_expected_ones(estate: BuiltEstate) -> None:
    """A pack that is gone is said with its name, and the target stays."""
    contents = contents_of(estate)
    name = pack_name(DATABASE, contents.envelope.packs[0].sha256)
    (estate.root / "backups" / name).unlink()
    target = MemoryEngine(dict(THERE))
    with pytest.raises(DbopsError) as caught:
        overwrite(target, contents)
    assert "is missing from repository main" in caught.value.message
    assert target.tables == THERE
