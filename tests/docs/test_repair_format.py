"""dbops/repair/FORMAT.md tells the truth: its bundle opens, its tables are the code's."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import fields
from pathlib import Path

import pytest

from dbops.crypto.age import Identity
from dbops.engines.postgresql.connect import PINNED
from dbops.engines.sqlite.repair_marker import COLUMNS
from dbops.engines.sqlite.repair_values import Affinity, encode
from dbops.repair.batch_progress import BatchProgress, part_of
from dbops.repair.bundle import Bundle, BundleHeader, BundleTable
from dbops.repair.bundles import StoredBundle
from dbops.repair.payload import open_payload
from dbops.repair.sealed_lines import sealed_lines
from dbops.repair.table import Change, Column, TableName
from tests.docs.markdown import ROOT
from tests.docs.test_format import pipe

TEXT = (ROOT / "dbops/repair/FORMAT.md").read_text("utf-8")
_NAMED = re.compile(r"^`([^`\n]+)`\n\n```(?:text|base64)\n(.*?)```$", re.MULTILINE | re.DOTALL)
NAMED = dict(_NAMED.findall(TEXT))
IDENTITY = Identity(NAMED["identity"].strip())
(FILE,) = (name for name in NAMED if name.endswith(".age"))
SEALED = base64.b64decode(NAMED[FILE])


def block(language: str) -> str:
    """The one fenced block of that language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)```$", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


def section(title: str) -> str:
    """The text under a heading."""
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> set[str]:
    """What stands in code marks in the first column of the section's tables."""
    rows = (line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    return {name for cell in rows for name in re.findall(r"`([^`]+)`", cell)}


def test_dbops_reads_the_bundle_of_the_page() -> None:
    """It opens with the page's identity, is whole, and holds the two rows that the page shows."""
    bundle = Bundle(lambda: io.BytesIO(SEALED), [IDENTITY], "the page's bundle")
    assert list(bundle) == [
        (0, Change((b"7",), (b"7", b"OLD", "急诊".encode()), (b"7", b"ORT", "急诊".encode()))),
        (0, Change((b"9",), (b"9", b"OLD", None), (b"9", b"ORT", b"\xff\x00"))),
    ]
    assert bundle.header.tables[0].table == TableName("his", "visit")
    stored = StoredBundle.of(Path(FILE))
    assert stored is not None
    assert (stored.work, stored.run) == (bundle.header.work, bundle.header.run)


def test_standard_programs_read_the_bundle_of_the_page(tmp_path: Path) -> None:
    """age and zstd print the lines that the page shows."""
    (tmp_path / "identity").write_text(NAMED["identity"], "ascii")
    (tmp_path / "bundle.age").write_bytes(SEALED)
    printed = pipe(tmp_path / "bundle.age", tmp_path / "identity", unpack=True)
    assert printed.decode() == block("jsonl")


def test_the_payload_of_the_page_is_one() -> None:
    """Sealed as it stands there, it is read; its rows are those of the page."""
    sealed = io.BytesIO()
    with sealed_lines(sealed, [IDENTITY.recipient]) as write:
        for line in block("json").encode().splitlines():
            write(line)
    payload = open_payload(sealed.getvalue(), [IDENTITY])
    assert payload.arguments == {"patient": "P-0077"}
    assert list(payload.rows["lost"].rows) == [(b"1", None), (b"2", "急诊".encode())]


@pytest.mark.parametrize("kind", [BundleHeader, BundleTable, TableName, Column])
def test_every_key_of_the_header_is_named(kind: type) -> None:
    """No key of the first line is left out of its section."""
    named = set(re.findall(r"`(\w+)`", section("bundle/v1")))
    assert {item.name for item in fields(kind)} <= named


def test_the_table_of_the_header_is_the_header() -> None:
    """The page's table has the keys of the first line, and no other."""
    told = first_cells(section("bundle/v1"))
    assert told == {"dbops", *(item.name for item in fields(BundleHeader))}


def test_the_table_of_marks_has_its_columns() -> None:
    """The columns of `dbops_run` are those of the page, and so is what `upto` holds."""
    assert first_cells(section("dbops_run")) == set(COLUMNS)
    named = set(re.findall(r"`(\w+)`", section("dbops_run")))
    assert {item.name for item in fields(BatchProgress)} <= named
    assert part_of("1" * 32, 0) == "1" * 32


@pytest.mark.parametrize(
    ("kind", "value", "affinity", "expected"),
    [
        ("integer", 7, Affinity.TEXT, b"~i:7"),
        ("real", 1.5, Affinity.NONE, b"~r:1.5"),
        ("text", b"7", Affinity.NUMERIC, b"~t:7"),
        ("text", b"~7", Affinity.TEXT, b"~t:~7"),
        ("blob", b"\xff", Affinity.TEXT, b"~x:ff"),
        ("text", b"\xff", Affinity.TEXT, b"~u:ff"),
        ("integer", 7, Affinity.NUMERIC, b"7"),
        ("real", 1.5, Affinity.NUMERIC, b"1.5"),
        ("text", "急".encode(), Affinity.NONE, "急".encode()),
    ],
)
def test_values_of_sqlite_are_marked_as_written(
    kind: str, value: int | float | bytes, affinity: Affinity, expected: bytes
) -> None:
    """Each mark of the page is the one that is written, and what is usual has none."""
    found = encode(kind, value, affinity, "utf-8")
    assert found == expected
    if expected[:1] == b"~":
        assert f"| `{expected[:3].decode()}` |" in section("Values")


def test_settings_of_postgresql_are_those_of_the_page() -> None:
    """What decides how values are printed stands on the page as it is pinned."""
    told = dict(re.findall(r"`(DateStyle|IntervalStyle|TimeZone|extra_float_digits|bytea_output)` "
                           r"(\w+)", section("Values")))  # fmt: skip
    pinned = {name.lower(): value.lower() for name, value in PINNED.items()}
    assert len(told) == 5
    assert all(pinned[name.lower()].startswith(value.lower()) for name, value in told.items())
