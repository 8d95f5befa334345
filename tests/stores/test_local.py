"""The local store: a directory that never lies about what it holds."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from dbops.errors import DbopsError, Failed, Unreachable
from dbops.repository.ports import ObjectExists, Store, put_bytes, read_bytes
from dbops.stores.local import LocalStore
from tests.fix_tools import absent, require_root
from tests.stores.suite import StoreSuite


class TestLocalStore(StoreSuite):
    """A directory on a file system with hard links."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Callable[[], Store]:
        return lambda: LocalStore(tmp_path / "r", "repository main")


def no_links(*_arguments: object, **_options: object) -> None:
    raise OSError(errno.EPERM, "no links here")


class TestWithoutLinks(StoreSuite):
    """A share whose file system has no hard links: the rename that refuses to replace."""

    @pytest.fixture
    def open_store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
        monkeypatch.setattr(os, "link", no_links)
        return lambda: LocalStore(tmp_path / "r", "repository main")


class TestWithoutLinksAndRename(StoreSuite):
    """A share that has neither: exclusive creation."""

    @pytest.fixture
    def open_store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
        monkeypatch.setattr(os, "link", no_links)
        monkeypatch.setattr(ctypes, "CDLL", lambda *_arguments, **_options: object())
        return lambda: LocalStore(tmp_path / "r", "repository main")


def put_one(root: Path, number: int) -> bool:
    try:
        put_bytes(LocalStore(root, "r"), "a/b", bytes([number]) * 100_000)
    except ObjectExists:
        return False
    return True


def test_of_racing_processes_one_wins(tmp_path: Path) -> None:
    """The file system decides, not a lock of one process."""
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        won = list(pool.map(put_one, [tmp_path] * 8, range(8)))
    assert won.count(True) == 1
    assert read_bytes(LocalStore(tmp_path, "r"), "a/b") == bytes([won.index(True)]) * 100_000


WRITER = """
import sys, pathlib
from dbops.stores.local import LocalStore
spool = LocalStore(pathlib.Path(sys.argv[1]), "r").spool()
spool.write(b"half")
print("written", flush=True)
sys.stdin.read()
"""


def test_a_sweep_takes_the_dead_and_leaves_the_living(tmp_path: Path) -> None:
    """A spool goes when its writer is gone, however it went, and not before."""
    store = LocalStore(tmp_path, "r")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        own = store.spool()
        assert store.sweep() == 0
        os.kill(writer.pid, signal.SIGKILL)
    assert store.sweep() == 1
    own.write(b"x")
    store.put("a", own)
    assert read_bytes(store, "a") == b"x"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    """The message says that there is no space, the hint what makes some."""
    require_root("a tiny file system of one's own")
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", place], check=False, capture_output=True
    )
    if made.returncode:
        absent("mount", "this machine lets nobody mount a tmpfs")
    try:
        store = LocalStore(place, "repository main")
        with pytest.raises(Failed) as caught:
            put_bytes(store, "a/b", bytes(1 << 20))
        assert list((place / "tmp").iterdir()) == []
        put_bytes(store, "a/b", b"fits")
    finally:
        subprocess.run(["umount", place], check=True)
    assert caught.value.code == "no-space"
    assert caught.value.message == "repository main has no space left"
    assert caught.value.hint == "free some space, or run: dbops backup expire --dry-run"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The reason is the operating system's own short name for it."""
    (tmp_path / "file").write_text("")
    store = LocalStore(tmp_path / "file" / "r", "repository main")
    with pytest.raises(Unreachable) as caught:
        store.spool()
    assert caught.value.message == "repository main cannot be used (EEXIST)"
    assert caught.value.hint == (
        "check that it is mounted and that this account may write there: dbops doctor"
    )


def test_a_disk_that_fails_while_it_is_read_is_named() -> None:
    """An error in the middle of an object is reported as the store's, not as a bug."""
    store = LocalStore(Path("/proc/self"), "repository main")
    with store.open("mem") as source:
        for size in (10, -1):
            with pytest.raises(Unreachable) as caught:
                source.read(size)
            assert caught.value.message == "repository main cannot be used (EIO)"


def test_what_is_no_file_is_no_object(tmp_path: Path) -> None:
    """Directories and links are not listed, not found, and not followed."""
    store = LocalStore(tmp_path, "repository main")
    put_bytes(store, "a/file", b"1")
    (tmp_path / "a" / "directory").mkdir()
    (tmp_path / "a" / "link").symlink_to("file")
    (tmp_path / "a" / "UPPER").write_text("")
    assert [item.name for item in store.list("a")] == ["a/file"]
    for name in ("a/directory", "a/link"):
        assert store.find(name) is None
        with pytest.raises(DbopsError) as caught:
            store.open(name)
        assert caught.value.code == "store-unreachable"


def test_objects_are_for_their_account_and_group(tmp_path: Path) -> None:
    """No other account can even read the sealed bytes."""
    put_bytes(LocalStore(tmp_path / "r", "r"), "a/b", b"1")
    assert (tmp_path / "r" / "a" / "b").stat().st_mode & 0o007 == 0
    assert (tmp_path / "r" / "a").stat().st_mode & 0o007 == 0


def test_an_object_that_is_too_large_to_be_small_is_refused(tmp_path: Path) -> None:
    """A document of gigabytes is no document, and is not read into memory."""
    store = LocalStore(tmp_path, "r")
    put_bytes(store, "a", bytes(11))
    with pytest.raises(Failed) as caught:
        read_bytes(store, "a", limit=10)
    assert caught.value.message == "a is larger than 10 bytes"
    assert read_bytes(store, "a", limit=11) == bytes(11)
