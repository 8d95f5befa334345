"""dbops/repository/FORMAT.md tells the truth: its repository opens, its tables are the code's."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dbops.crypto.age import Identity, Recipient
from dbops.crypto.trust import TrustRoot, load_trust_root
from dbops.engines.sqlite.connect import open_source
from dbops.engines.sqlite.rows import list_tables, prove_table
from dbops.repository.chain import Backup
from dbops.repository.check import check_stored
from dbops.repository.frames import Description, Payload, describe
from dbops.repository.manifest import CatalogueHead, Envelope, Gap, Totals
from dbops.repository.opening import RangeReader
from dbops.repository.packing import PackOrder, PackWriter
from dbops.repository.ranges import MODULUS
from dbops.repository.reader import Repository
from dbops.repository.recipients import RecipientEntry, RecipientList
from dbops.repository.records import Certificate, Hold, Receipt, Tombstone
from dbops.stores.local import LocalStore
from tests.docs.shell_blocks import DOCS
from tests.fix_tools import require_tool
from tests.support.estate import run_sql

PAGE = DOCS.parent / "dbops" / "repository" / "FORMAT.md"
TEXT = PAGE.read_text("utf-8")
ROWS = "1\t急诊科\n2\t检验科\n".encode()
KEY = bytes(range(32))
NOW = datetime(2026, 11, 23, tzinfo=UTC)
OUTSIDE = ("identity", "allowed_signers")
_OBJECT = re.compile(r"^`([^`\n]+)`\n\n```(text|base64)\n(.*?)```$", re.MULTILINE | re.DOTALL)


def block(language: str) -> str:
    """The one fenced block of that language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)```$", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's repository as files, in `repository`; its key and trust root beside it."""
    place = tmp_path_factory.mktemp("format")
    for name, form, text in _OBJECT.findall(TEXT):
        path = place / name if name in OUTSIDE else place / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(text) if form == "base64" else text.encode())
    return place


@pytest.fixture(scope="module")
def identity(place: Path) -> Identity:
    """What opens it."""
    return Identity((place / "identity").read_text("ascii").strip())


@pytest.fixture(scope="module")
def trust(place: Path) -> TrustRoot:
    """Who may have signed it."""
    return load_trust_root(place, ZoneInfo("Asia/Shanghai"))


@pytest.fixture(scope="module")
def repository(place: Path, trust: TrustRoot) -> Repository:
    """dbops over the page's objects."""
    return Repository(LocalStore(place / "repository", "the page"), trust, NOW)


@pytest.fixture(scope="module")
def backup(repository: Repository) -> Backup:
    """Its only backup."""
    history = repository.history("lab", None)
    assert history.damages == ()
    (found,) = history.backups
    return found


def test_dbops_reads_the_page(repository: Repository, backup: Backup, identity: Identity) -> None:
    """The page's repository passes every check, and its rows are the two that it promises."""
    envelope = backup.envelope
    assert check_stored(repository.store, envelope, set(), lambda _: None) == ()
    assert repository.check_recipients(envelope) == ()
    catalogue = repository.catalogue(envelope, [identity])
    (stream,) = catalogue.streams
    reader = RangeReader(repository.store, "lab", catalogue.key, [identity])
    assert b"".join(reader.read_stream(stream)) == ROWS
    reader.close()
    assert catalogue.key == KEY


def pipe(path: Path, identity: Path, *, unpack: bool) -> bytes:
    """What `age -d` says, through `zstd -d` or not."""
    require_tool("age", "age")
    require_tool("zstd", "zstd")
    plain = subprocess.run(
        ["age", "-d", "-i", identity, path], check=True, capture_output=True
    ).stdout
    if not unpack:
        return plain
    return subprocess.run(["zstd", "-dc"], input=plain, check=True, capture_output=True).stdout


def test_standard_programs_read_the_page(place: Path, backup: Backup) -> None:
    """age and zstd yield the rows, the catalogue's lines and the bytes of the hex dump."""
    root, key = place / "repository" / "db" / "lab", place / "identity"
    sha256 = backup.envelope.packs[0].sha256
    pack = root / "pack" / sha256[:2] / f"{sha256}.age"
    catalogue = root / "catalogue" / f"{backup.envelope.catalogue.sha256}.age"
    assert pipe(pack, key, unpack=True) == ROWS
    assert pipe(catalogue, key, unpack=True).decode() == block("jsonl")
    shown = "".join(line[6:53] for line in block("hexdump").splitlines())
    assert pipe(pack, key, unpack=False) == bytes.fromhex(shown)


def test_the_recovery_script_reads_the_page(place: Path, tmp_path: Path) -> None:
    """docs/recover.py opens it too, and finds its signature good."""
    for name, package in (("age", "age"), ("zstd", "zstd"), ("ssh-keygen", "openssh-client")):
        require_tool(name, package)
    command: list[str | Path] = [sys.executable, DOCS / "recover.py", "extract"]
    command += [place / "repository", "lab@1"]
    command += ["-i", place / "identity", "-o", tmp_path / "out"]
    command += ["--verify-signature", place / "allowed_signers"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == "signed by writer@example"
    assert (tmp_path / "out" / "tables" / "00000-public.ward.copy").read_bytes() == ROWS


def test_digest_and_sum_are_as_written() -> None:
    """Computed from the page's words alone, both are those of its range."""
    row = json.loads(block("jsonl").splitlines()[2])
    digests = [
        hashlib.blake2b(line, digest_size=32, key=KEY).digest() for line in ROWS.splitlines()
    ]
    total = sum(int.from_bytes(digest, "big") for digest in digests) % 2**256
    whole = hashlib.blake2b(ROWS, digest_size=32, key=KEY).hexdigest()
    assert row[4:] == [whole, 2, len(ROWS), f"{total:064x}"]


def test_a_description_is_as_shown() -> None:
    """What stands in front of the payload is byte for byte what dbops writes today."""
    shown = bytes.fromhex("".join(line[6:53] for line in block("hexdump").splitlines()))
    written = describe(Description(1, Payload.ROWS, "lab", 1, "public.ward", 0))
    assert shown.startswith(written)
    assert shown[len(written) :].startswith(bytes.fromhex("28b52ffd"))


def test_a_pack_written_today_reads_the_same(
    place: Path, identity: Identity, tmp_path: Path
) -> None:
    """The range of a fresh pack differs from the page's in nothing but the pack's name."""
    writer = PackWriter(
        LocalStore(tmp_path, "fresh"), PackOrder("lab", 1, KEY, (identity.recipient,))
    )
    writer.begin("public.ward", 0, Payload.ROWS)
    writer.write(ROWS)
    writer.end()
    writer.flush()
    ((_, part),) = writer.packs[0].ranges
    row = json.loads(block("jsonl").splitlines()[2])
    assert [part.index, part.offset, part.digest] == [row[0], row[2], row[4]]
    path = tmp_path / "db" / "lab" / "pack" / part.pack[:2] / f"{part.pack}.age"
    assert pipe(path, place / "identity", unpack=True) == ROWS


def section(title: str) -> str:
    """The text under a heading."""
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> Iterator[str]:
    """What stands in code marks in the first column of the section's tables."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield from re.findall(r"`([^`]+)`", line.split("|")[1])


def test_the_envelope_table_names_every_key() -> None:
    """The keys of the page are the keys that dbops takes: none missing, none too many."""
    assert set(first_cells(section("The envelope"))) == {item.name for item in fields(Envelope)}


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("The envelope", Totals),
        ("The catalogue", CatalogueHead),
        ("The catalogue", Gap),
        ("Packs", Description),
        ("Documents beside the manifests", Tombstone),
        ("Documents beside the manifests", Hold),
        ("Documents beside the manifests", Certificate),
        ("Documents beside the manifests", Receipt),
        ("Documents beside the manifests", RecipientList),
        ("Documents beside the manifests", RecipientEntry),
    ],
)
def test_every_key_is_named(title: str, kind: type) -> None:
    """No key of a document or frame is left out of its section."""
    text = section(title)
    missing = [item.name for item in fields(kind) if not re.search(rf"\b{item.name}\b", text)]
    assert missing == []


def test_every_payload_is_named() -> None:
    """The table of payloads is the enumeration."""
    cells = set(first_cells(section("Packs").partition("| payload | bytes")[2]))
    assert cells == {str(payload) for payload in Payload}


def test_the_page_key_is_the_recipients(backup: Backup, identity: Identity) -> None:
    """The identity on the page is the one that the envelope names."""
    assert [Recipient(e.recipient) for e in backup.envelope.sealed_to] == [identity.recipient]


def test_rows_of_sqlite_are_encoded_as_written(tmp_path: Path) -> None:
    """The sum of a SQLite table follows from the page's table of bytes."""
    path = tmp_path / "x.db"
    run_sql(
        path, "CREATE TABLE t(a, b, c, d, e); INSERT INTO t VALUES (NULL, -7, 1.5, '检', x'00')"
    )
    with sqlite3.connect(path) as connection:
        (rowid, *values) = connection.execute("SELECT rowid, * FROM t").fetchone()
    connection.close()
    encoded = b"R" + struct.pack(">q", rowid) + b"N" + b"I" + struct.pack(">q", values[1])
    encoded += b"F" + struct.pack(">d", values[2])
    encoded += b"T" + struct.pack(">Q", 3) + "检".encode() + b"B" + struct.pack(">Q", 1) + b"\0"
    expected = int.from_bytes(hashlib.blake2b(encoded, digest_size=32, key=KEY).digest(), "big")
    with open_source("x", path) as source:
        (table,) = list_tables(source)
        proof = prove_table(source, table, KEY)
    assert (proof.records, proof.bytes, int(proof.sum, 16)) == (1, len(encoded), expected % MODULUS)
