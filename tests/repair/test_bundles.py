"""Where bundles lie: whole and durable under their names, or not there at all."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbops.crypto.age import Identity
from dbops.errors import Failed, NotFound, Refused, Unreachable
from dbops.repair.bundle import BundleHeader, BundleTable, BundleWriter
from dbops.repair.bundles import BundleFile, BundlePlace, StoredBundle
from dbops.repair.ports import MarkerKind
from dbops.repair.table import Change, Column, TableName

WORK = "2026-117-visit-ward.v2"
RUN, LATER = "0" * 32, "1" * 32
ME = Identity.generate()
CHANGE = Change((b"1",), (b"1",), (b"2",))


def header(run: str, batch: int) -> BundleHeader:
    table = BundleTable(
        table=TableName("", "t"), columns=(Column("c", "text"),), key=("c",), schema="ab" * 32
    )
    return BundleHeader(
        run=run,
        work=WORK,
        plan="cd" * 32,
        kind=MarkerKind.REPAIR,
        database="his",
        identity="x",
        server="SQLite 3",
        encoding="utf-8",
        at=datetime(2026, 11, 23, tzinfo=UTC),
        key="00" * 32,
        tables=(table,),
        batch=batch,
    )


def put(place: BundlePlace, run: str = RUN, batch: int = 0) -> tuple[Path, str]:
    """Write a bundle; returns its path and the sha256 that its writer gave."""
    with place.create(WORK, MarkerKind.REPAIR, batch, run) as file:
        with BundleWriter(file, [ME.recipient], header(run, batch)) as writer:
            writer.add(0, CHANGE)
            seal = writer.close()
        return file.finish(), seal.sha256


@pytest.fixture
def place(tmp_path: Path) -> BundlePlace:
    """A place whose directory is not there yet."""
    return BundlePlace(tmp_path / "host" / "bundles")


def test_a_finished_bundle_is_found_by_its_sha256(place: BundlePlace, tmp_path: Path) -> None:
    """Its name says what it is; it is for this account only; and it opens."""
    path, sha256 = put(place)
    assert path == tmp_path / "host" / "bundles" / f"{WORK}.repair.0.{RUN}.age"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    stored = place.find(sha256, WORK)
    assert stored == StoredBundle(path, WORK, MarkerKind.REPAIR, 0, RUN)
    assert list(place.open(stored, [ME], sha256)) == [(0, CHANGE)]
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208


def test_bundles_are_listed_by_work_and_run(place: BundlePlace) -> None:
    """Batches of a run come in their order, also the tenth after the second."""
    assert place.all() == ()
    for batch in (10, 2, 0):
        put(place, LATER, batch)
    put(place)
    assert [each.batch for each in place.of_run(LATER)] == [0, 2, 10]
    assert [each.run for each in place.all(WORK)] == [RUN, LATER, LATER, LATER]
    assert place.all("other") == ()


def test_nothing_has_a_name_before_it_is_whole(place: BundlePlace, tmp_path: Path) -> None:
    """While a bundle is written, and where its writing fails, there is no bundle."""

    def fail() -> None:
        with place.create(WORK, MarkerKind.UNDO, 0, RUN) as file:
            file.write(b"half")
            assert place.all() == ()
            raise Refused("expect-differs", "…", hint="…")

    with pytest.raises(Refused):
        fail()
    assert list((tmp_path / "host" / "bundles").iterdir()) == []


def test_a_name_is_given_once(place: BundlePlace) -> None:
    """A second bundle of the same run and batch fails and leaves the first as it is."""
    path, sha256 = put(place)
    with pytest.raises(Failed) as caught:
        put(place)
    assert caught.value.code == "bundle-exists"
    assert caught.value.message == f"there is a bundle {path.name} already"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    assert list(path.parent.iterdir()) == [path]


def test_names_are_made_of_checked_parts(place: BundlePlace) -> None:
    """A run or a work that could lead elsewhere is a fault of the program."""
    for work, run in (("../up", RUN), (WORK, "a/b"), ("", RUN), (WORK, "")):
        with pytest.raises(ValueError, match="no name of a bundle"):
            place.create(work, MarkerKind.REPAIR, 0, run)


def test_a_bundle_that_is_not_there(place: BundlePlace, tmp_path: Path) -> None:
    """The error names the place and the sha256's beginning."""
    put(place)
    with pytest.raises(NotFound) as caught:
        place.find("ab" * 32)
    assert caught.value.message == f"no bundle abababababab in {tmp_path / 'host' / 'bundles'}"


def test_a_bundle_that_was_replaced_is_not_read(place: BundlePlace) -> None:
    """What lies under the name now is not what was asked for: every reading looks."""
    path, sha256 = put(place)
    _, other = put(place, LATER)
    stored = place.find(sha256)
    bundle = place.open(stored, [ME], sha256)
    path.unlink()
    place.find(other).path.rename(path)
    with pytest.raises(Refused) as caught:
        list(bundle)
    assert caught.value.code == "bundle-damaged"
    path.unlink()
    with pytest.raises(NotFound) as away:
        list(bundle)
    assert away.value.message == f"no bundle {path.name}"


def test_a_removed_bundle_is_gone(place: BundlePlace) -> None:
    """What did not take place leaves no bundle; removing it twice is the same."""
    path, _ = put(place)
    place.remove(path)
    place.remove(path)
    assert place.all() == ()


KILLED = """
import os, sys
from pathlib import Path
from dbops.repair import bundles
from dbops.repair.ports import MarkerKind
step, calls = int(sys.argv[2]), 0
def die_at(real):
    def call(*arguments, **named):
        global calls
        if calls == step:
            os.kill(os.getpid(), 9)
        calls += 1
        return real(*arguments, **named)
    return call
bundles.give_name = die_at(bundles.give_name)
bundles.sync_directory = die_at(bundles.sync_directory)
bundles.os.fsync = die_at(os.fsync)
bundles.Path.unlink = die_at(Path.unlink)
place = bundles.BundlePlace(Path(sys.argv[1]))
with place.create("work", MarkerKind.REPAIR, 0, "f" * 32) as file:
    file.write(b"all of it")
    file.finish()
print("finished")
"""


@pytest.mark.parametrize("step", range(6))
def test_a_kill_leaves_a_whole_bundle_or_none(tmp_path: Path, step: int) -> None:
    """Killed before each of its last steps, a writer leaves a whole file, or one to be swept."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(step)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (-signal.SIGKILL if step < 5 else 0), done.stderr
    place = BundlePlace(tmp_path)
    assert [each.path.read_bytes() for each in place.all()] == [b"all of it"] * (step >= 2)
    assert place.sweep() == (1 if step < 3 else 0)
    assert [path.suffix for path in tmp_path.iterdir()] == [".age"] * (step >= 2)


def test_a_sweep_leaves_living_writers_alone(place: BundlePlace) -> None:
    """A bundle that somebody is writing is not swept, and gets its name."""
    assert place.sweep() == 0
    with place.create(WORK, MarkerKind.REPAIR, 0, RUN) as file:
        file.write(b"x")
        assert place.sweep() == 0
        assert file.finish().read_bytes() == b"x"


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    """Where the directory cannot be made the error gives the system's code."""
    (tmp_path / "file").write_bytes(b"")
    place = BundlePlace(tmp_path / "file" / "bundles")
    with pytest.raises(Unreachable) as caught:
        place.create(WORK, MarkerKind.REPAIR, 0, RUN)
    assert caught.value.code == "bundle-unreachable"
    directory = tmp_path / "file" / "bundles"
    assert caught.value.message == f"{directory} cannot be used for bundles (ENOTDIR)"


def test_a_full_disk(place: BundlePlace, tmp_path: Path) -> None:
    """A write that finds no space says so and leaves nothing."""
    file = place.create(WORK, MarkerKind.REPAIR, 0, RUN)
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(Failed) as caught:
        _exhaust(file, full.fileno())
    assert caught.value.code == "no-space"
    directory = tmp_path / "host" / "bundles"
    assert caught.value.message == f"{directory} has no space left for a bundle"
    assert list(directory.iterdir()) == []


def _exhaust(file: BundleFile, full: int) -> None:
    """Put the device that is always full in the place of the bundle's own file."""
    with file:
        os.dup2(full, file._file.fileno())
        file.write(b"more than nothing")
