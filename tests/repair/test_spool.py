"""Rows that are read several times: the same rows, bounded memory, no plaintext on a disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.errors import Failed, Unreachable
from dbops.repair import spool as module
from dbops.repair.spool import Spool
from dbops.repair.table import KeyedRow

VALUE = st.none() | st.binary(max_size=300)
ROWS = st.lists(
    st.builds(
        KeyedRow,
        st.lists(st.binary(max_size=20), min_size=1, max_size=3).map(tuple),
        st.lists(VALUE, max_size=6).map(tuple),
        st.booleans(),
    ),
    max_size=30,
)


def numbered(count: int, size: int = 100) -> list[KeyedRow]:
    return [
        KeyedRow((b"%08d" % number,), (b"%08d" % number, os.urandom(size), None))
        for number in range(count)
    ]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool that goes to its file after a few rows."""
    monkeypatch.setattr(module, "MEMORY", 1000)
    monkeypatch.setattr(module, "BATCH", 300)


@settings(deadline=None, max_examples=40)
@given(ROWS, st.integers(0, 2000), st.integers(1, 1000))
def test_rows_come_back_as_they_were_added(rows: list[KeyedRow], memory: int, batch: int) -> None:
    """In memory or in a file, every reading yields the same rows in the same order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MEMORY", memory)
        patch.setattr(module, "BATCH", batch)
        with Spool(Path("/tmp")) as spool:  # noqa: S108 - a file without a name
            spool.extend(rows)
            assert len(spool) == len(rows)
            assert list(spool) == rows
            assert list(spool) == rows


@pytest.mark.usefixtures("small")
def test_readings_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Two readings at once each see all rows."""
    rows = numbered(50)
    with Spool(tmp_path) as spool:
        spool.extend(rows)
        assert list(zip(spool, spool, strict=True)) == list(zip(rows, rows, strict=True))
        one = iter(spool)
        next(one)
        assert list(spool) == rows
        assert list(one) == rows[1:]


@pytest.mark.usefixtures("small")
def test_what_was_read_is_complete(tmp_path: Path) -> None:
    """A row that is added after the first reading began is refused."""
    with Spool(tmp_path) as spool:
        iter(spool)
        with pytest.raises(ValueError, match="before the first of them is read"):
            spool.add(numbered(1)[0])


def open_files_of(directory: Path) -> dict[int, bytes]:
    """The bytes of every file of the directory that this process has open, nameless ones too."""
    found = {}
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - names, not paths
        link = Path(f"/proc/self/fd/{number}")
        with suppress(FileNotFoundError):  # the descriptor of the listing itself
            if str(link.readlink()).startswith(str(directory)):
                found[number] = link.read_bytes()
    return found


@pytest.mark.usefixtures("small")
def test_no_plaintext_is_on_the_disk(tmp_path: Path) -> None:
    """The file has no name and is an age file without any value that was added."""
    canary = b"canary-7f3d"
    with Spool(tmp_path) as spool:
        for number in range(200):
            spool.add(KeyedRow((b"%d" % number,), (canary, canary * 40)))
        next(iter(spool))
        assert list(tmp_path.iterdir()) == []
        (body,) = open_files_of(tmp_path).values()
        assert body.startswith(b"age-encryption.org/v1\n")
        assert len(body) > 200 * len(canary) * 40
        assert canary not in body
    assert open_files_of(tmp_path) == {}


def test_few_rows_make_no_file(tmp_path: Path) -> None:
    """Rows that fit into memory never reach the disk at all."""
    with Spool(tmp_path) as spool:
        spool.extend(numbered(1000))
        list(spool)
        assert open_files_of(tmp_path) == {}


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Four times the rows take no more memory, and rows of 10 MB only a few of them."""

    def peak(work: Callable[[Spool], None]) -> int:
        tracemalloc.start()
        try:
            with Spool(tmp_path) as spool:
                work(spool)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def small_rows(spool: Spool) -> None:
        value = os.urandom(2000)
        for number in range(20_000):  # 40 MB
            spool.add(KeyedRow((b"%08d" % number,), (value, None)))
        assert sum(1 for _ in spool) == 20_000

    def long_rows(spool: Spool) -> None:
        for number in range(6):
            spool.add(KeyedRow((b"%d" % number,), (os.urandom(10 << 20),)))
        assert sum(1 for _ in spool) == 6

    assert peak(small_rows) < 24 << 20
    assert peak(long_rows) < 60 << 20


@pytest.mark.usefixtures("small")
def test_a_file_that_changes_is_found_out(tmp_path: Path) -> None:
    """Bytes that another program changed are not taken for rows."""
    with Spool(tmp_path) as spool:
        spool.extend(numbered(2000))
        iter(spool)
        (number,) = open_files_of(tmp_path)
        os.pwrite(number, b"x", 70_000)
        with pytest.raises(Failed) as caught:
            list(spool)
    assert caught.value.code == "spool-damaged"
    assert caught.value.message == "rows that were kept while a repair runs cannot be read again"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """Where no file can be made the error says so, with the system's code."""
    with Spool(tmp_path / "away") as spool, pytest.raises(Unreachable) as caught:
        spool.extend(numbered(300, 100_000))
    assert caught.value.code == "spool-unreachable"
    assert caught.value.message == "rows cannot be kept while a repair runs (ENOENT)"


LIMITED = """
import resource, signal, sys
from pathlib import Path
from dbops.errors import Failed
from dbops.repair.spool import Spool
from dbops.repair.table import KeyedRow
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    with Spool(Path(sys.argv[1])) as spool:
        for number in range(400):
            spool.add(KeyedRow((b"%d" % number,), (bytes(100_000),)))
        list(spool)
except Exception as failure:
    print(type(failure).__name__, failure.code, failure.message)
"""


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """A write that fails ends with an error that names the reason, and leaves nothing."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    reason = errno.errorcode[errno.EFBIG]
    expected = f"Unreachable spool-unreachable rows cannot be kept while a repair runs ({reason})"
    assert done.stdout.strip() == expected
    assert list(tmp_path.iterdir()) == []
