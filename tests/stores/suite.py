"""What every store must do, whatever it is made of: subclass `StoreSuite` and give it a store."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dbops.errors import ExitStatus, NotFound
from dbops.repository.ports import ObjectExists, Store, put_bytes, read_bytes

RACERS = 8


class StoreSuite:
    """`open_store` is a fixture that returns the same store, seen by another client each time."""

    def test_an_object_is_there_once_it_was_put(self, open_store: Callable[[], Store]) -> None:
        """Its bytes and its size are seen by any client."""
        put_bytes(open_store(), "db/lab/pack/ab/x.age", b"bytes")
        store = open_store()
        assert read_bytes(store, "db/lab/pack/ab/x.age") == b"bytes"
        found = store.find("db/lab/pack/ab/x.age")
        assert found is not None
        assert (found.name, found.size) == ("db/lab/pack/ab/x.age", 5)
        assert found.modified.utcoffset() is not None

    def test_an_object_is_written_once(self, open_store: Callable[[], Store]) -> None:
        """A second put of the name is refused, and the first bytes stay."""
        store = open_store()
        put_bytes(store, "a/b", b"first")
        with pytest.raises(ObjectExists) as caught:
            put_bytes(store, "a/b", b"second")
        assert caught.value.message == "a/b exists already in the repository"
        assert read_bytes(store, "a/b") == b"first"

    def test_of_many_that_race_one_wins(self, open_store: Callable[[], Store]) -> None:
        """Put-if-absent decides between writers, and what is read is the winner's, whole."""
        for turn in range(5):
            name = f"race/{turn}"
            start = threading.Barrier(RACERS)
            won: list[bytes] = []

            def race(
                mine: bytes,
                name: str = name,
                start: threading.Barrier = start,
                won: list[bytes] = won,
            ) -> None:
                store = open_store()
                spool = store.spool()
                spool.write(mine)
                start.wait(timeout=30)
                try:
                    store.put(name, spool)
                except ObjectExists:
                    return
                won.append(mine)

            threads = [
                threading.Thread(target=race, args=(bytes([number]) * 50_000,))
                for number in range(RACERS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=60)
            assert len(won) == 1
            assert read_bytes(open_store(), name) == won[0]

    def test_a_spool_is_nothing_until_it_was_put(self, open_store: Callable[[], Store]) -> None:
        """Nobody sees it, and discarding it twice, or after the put, does no harm."""
        store = open_store()
        spool = store.spool()
        spool.write(b"abc")
        spool.write(b"de")
        assert spool.size == 5
        assert list(store.list("db")) == []
        spool.discard()
        spool.discard()
        spool = store.spool()
        store.put("db/empty", spool)
        spool.discard()
        assert read_bytes(store, "db/empty") == b""

    def test_a_put_uses_its_spool_up(self, open_store: Callable[[], Store]) -> None:
        """Won or lost, nothing of the spool is left to be swept."""
        store = open_store()
        put_bytes(store, "a/b", b"1")
        spool = store.spool()
        with pytest.raises(ObjectExists):
            store.put("a/b", spool)
        assert store.sweep() == 0

    def test_what_is_missing_is_not_found(self, open_store: Callable[[], Store]) -> None:
        """It has no description, cannot be opened, and deleting it does no harm."""
        store = open_store()
        assert store.find("a/b") is None
        put_bytes(store, "a", b"1")
        assert store.find("a/b") is None
        with pytest.raises(NotFound) as caught:
            store.open("c/d")
        assert caught.value.message == f"c/d is missing from {store.title}"
        assert caught.value.status is ExitStatus.NOT_FOUND
        store.delete("c/d")

    def test_a_listing_is_by_whole_parts_and_in_order(
        self, open_store: Callable[[], Store]
    ) -> None:
        """`db/lab` is not `db/lab-2`, and names come sorted."""
        store = open_store()
        for name in ("db/lab/b", "db/lab/a/z", "db/lab-2/a", "db/lab/c"):
            put_bytes(store, name, name.encode())
        assert [item.name for item in store.list("db/lab")] == [
            "db/lab/a/z",
            "db/lab/b",
            "db/lab/c",
        ]
        assert [item.name for item in store.list("db/none")] == []

    def test_a_deleted_object_is_gone_and_may_come_again(
        self, open_store: Callable[[], Store]
    ) -> None:
        """Expiry deletes, and the name is free."""
        store = open_store()
        put_bytes(store, "a/b", b"1")
        store.delete("a/b")
        assert open_store().find("a/b") is None
        put_bytes(store, "a/b", b"2")
        assert read_bytes(store, "a/b") == b"2"

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a/.hidden",
            "A",
            "a b",
            "a\n",
            "a\x00b",
            "库",
            "-a",
        ],
    )
    def test_a_name_that_is_none_is_refused(
        self, open_store: Callable[[], Store], name: str
    ) -> None:
        """A caller that makes such a name has a bug; nothing outside the store is touched."""
        store = open_store()
        for call in (store.open, store.find, store.delete, lambda name: list(store.list(name))):
            with pytest.raises(ValueError, match="not an object name"):
                call(name)

    def test_free_room_is_known_or_not(self, open_store: Callable[[], Store]) -> None:
        """Bytes, or None where the store cannot tell."""
        free = open_store().free_bytes()
        assert free is None or free > 0
