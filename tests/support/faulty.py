"""A store in front of a real one, whose n-th call fails: before its effect, or after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

from dbops.errors import Unreachable
from dbops.repository.ports import Spool, Store, StoredObject

Result = TypeVar("Result")


class StoreBroke(Unreachable):
    """The failure that was asked for; no other code raises it."""

    def __init__(self, call: str) -> None:
        super().__init__("store-broke", f"the store broke at {call}", hint="mend the store")


class FaultyStore:
    """Does what `inner` does; call number `fail_at` (from 1 on) raises StoreBroke.

    With `after` it raises when the effect is there already, as when an answer is lost on its way;
    what hands out an open file (`spool`, `open`) raises before that in either case. Later calls
    work again. Writes into a spool count as calls; discarding one does not, since it is how
    failures are cleaned up. `calls` says how many there were: a sweep over `fail_at` ends when
    nothing `broke`.
    """

    def __init__(self, inner: Store, fail_at: int, *, after: bool) -> None:
        self.inner = inner
        self.calls = 0
        self._fail_at = fail_at
        self._after = after

    @property
    def broke(self) -> bool:
        """Whether the failure has happened."""
        return self.calls >= self._fail_at

    def run(self, call: str, work: Callable[[], Result], *, opens: bool = False) -> Result:
        """Count the call, do it, and fail where it is its turn."""
        self.calls += 1
        turn = self.calls == self._fail_at
        if turn and (opens or not self._after):
            raise StoreBroke(call)
        result = work()
        if turn:
            raise StoreBroke(call)
        return result

    @property
    def title(self) -> str:
        return self.inner.title

    def spool(self) -> Spool:
        return FaultySpool(self, self.run("spool", self.inner.spool, opens=True))

    def put(self, name: str, spool: Spool) -> None:
        assert isinstance(spool, FaultySpool)
        self.run(f"put {name}", lambda: self.inner.put(name, spool.inner))

    def open(self, name: str) -> BinaryIO:
        return self.run(f"open {name}", lambda: self.inner.open(name), opens=True)

    def find(self, name: str) -> StoredObject | None:
        return self.run(f"find {name}", lambda: self.inner.find(name))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        yield from self.run(f"list {prefix}", lambda: tuple(self.inner.list(prefix)))

    def delete(self, name: str) -> None:
        self.run(f"delete {name}", lambda: self.inner.delete(name))

    def free_bytes(self) -> int | None:
        return self.run("free_bytes", self.inner.free_bytes)

    def sweep(self) -> int:
        return self.run("sweep", self.inner.sweep)


class FaultySpool:
    """A spool of the inner store whose writes count as calls."""

    def __init__(self, store: FaultyStore, inner: Spool) -> None:
        self.inner = inner
        self._store = store

    @property
    def size(self) -> int:
        return self.inner.size

    def write(self, block: bytes, /) -> int:
        return self._store.run("write", lambda: self.inner.write(block))

    def discard(self) -> None:
        self.inner.discard()
