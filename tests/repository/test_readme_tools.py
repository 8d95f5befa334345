"""What the keys of a host open, and what programs that everybody has open without dbops."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from dbops.backup.contents import open_contents
from dbops.backup.verify import verify_backup
from dbops.crypto.age import Identity, load_identities
from dbops.crypto.age_header import HEADER_LIMIT, opens, read_header
from dbops.errors import ExitStatus, NoIdentity
from dbops.repository.layout import catalogue_name, pack_name
from dbops.repository.records import ProofLevel
from tests.fix_tools import require_tool
from tests.support.estate import (
    DATABASE,
    BuiltEstate,
    found_test_estate,
    ignore_progress,
    take_backup,
    verify_order,
)
from tests.support.memory_engine import MemoryEngine

ROWS = {"ward": ("1\t急诊科".encode(), "2\t检验科".encode()), "bed": (b"1\t7", b"2\t8", b"3\t9")}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """A backup of rows."""
    built = found_test_estate(tmp_path_factory.mktemp("tools") / "estate")
    take_backup(built, engine=MemoryEngine(dict(ROWS)))
    return built


def host_keys(estate: BuiltEstate) -> tuple[Identity, ...]:
    """Everything that a host holds which writes and does not verify."""
    return load_identities(estate.root / "keys" / "catalogue")


def objects(estate: BuiltEstate) -> tuple[Path, list[Path]]:
    envelope = estate.newest().envelope
    packs = [estate.objects / pack_name(DATABASE, pack.sha256) for pack in envelope.packs]
    return estate.objects / catalogue_name(DATABASE, envelope.catalogue.sha256), packs


def test_the_hosts_key_opens_the_catalogue_and_no_pack(estate: BuiltEstate) -> None:
    """By the headers, and by the age program itself."""
    age = str(require_tool("age", "age"))
    key = str(estate.root / "keys" / "catalogue")
    catalogue, packs = objects(estate)
    (identity,) = host_keys(estate)
    assert opens(identity, read_header(catalogue.read_bytes()[:HEADER_LIMIT], "x"))
    assert subprocess.run([age, "-d", "-i", key, str(catalogue)], capture_output=True, check=True)
    assert packs
    for pack in packs:
        assert not opens(identity, read_header(pack.read_bytes()[:HEADER_LIMIT], "x"))
        done = subprocess.run([age, "-d", "-i", key, str(pack)], capture_output=True, check=False)
        assert done.returncode != 0
        assert done.stdout == b""


def test_a_host_that_writes_cannot_read(estate: BuiltEstate) -> None:
    """With all its keys it learns tables and sizes; the first row ends in NoIdentity."""
    contents = open_contents(estate.repository, estate.newest().envelope, host_keys(estate))
    assert {stream.name for stream in contents.streams} == set(ROWS)
    with contents.open() as reader, pytest.raises(NoIdentity) as caught:
        list(reader.read(contents.streams[0]))
    assert caught.value.status is ExitStatus.NO_IDENTITY
    order = replace(verify_order(estate, ProofLevel.READABLE), identities=host_keys(estate))
    with pytest.raises(NoIdentity):
        verify_backup(estate.repository, estate.newest(), order, estate.clock, ignore_progress)
    assert estate.newest().certificates == ()


@pytest.mark.parametrize("holder", ["hospital/recovery", "verifier/drill"])
def test_each_holder_gets_rows_with_two_programs(estate: BuiltEstate, holder: str) -> None:
    """`age -d -i KEY PACK | zstd -d` prints every row of every table."""
    age, zstd = str(require_tool("age", "age")), str(require_tool("zstd", "zstd"))
    _, packs = objects(estate)
    lines: list[bytes] = []
    for pack in packs:
        key = str(estate.root / holder)
        plain = subprocess.run([age, "-d", "-i", key, str(pack)], capture_output=True, check=True)
        done = subprocess.run([zstd, "-dc"], input=plain.stdout, capture_output=True, check=True)
        lines += done.stdout.splitlines()
    assert sorted(lines) == sorted(row for rows in ROWS.values() for row in rows)


def test_a_holder_reads_the_catalogue_with_two_programs(estate: BuiltEstate) -> None:
    """It is text, one JSON value a line."""
    age, zstd = str(require_tool("age", "age")), str(require_tool("zstd", "zstd"))
    catalogue, _ = objects(estate)
    key = str(estate.root / "hospital" / "recovery")
    plain = subprocess.run([age, "-d", "-i", key, str(catalogue)], capture_output=True, check=True)
    done = subprocess.run([zstd, "-dc"], input=plain.stdout, capture_output=True, check=True)
    assert done.stdout.startswith(b'{"database":"example","format":"dbops-catalogue/1"')


def test_no_plaintext_lies_in_the_repository(estate: BuiltEstate) -> None:
    """Neither rows nor names of tables are in clear in any object."""
    for path in estate.objects.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert "急诊科".encode() not in data
            assert b"ward" not in data
