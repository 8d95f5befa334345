"""What the repository needs of the place where bytes live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from dbops.errors import Failed


class ObjectExists(Failed):
    """The name is taken: an object is written once and never again."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "object-exists",
            f"{name} exists already in the repository",
            hint="another run wrote it first; run the command again",
        )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message.removesuffix(" exists already in the repository"),)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as a listing shows it: its name, size in bytes, and when it came (UTC)."""

    name: str
    size: int
    modified: datetime


class Spool(Protocol):
    """Bytes on their way into a store; nobody can see them under a name yet."""

    @property
    def size(self) -> int:
        """Bytes written so far."""
        ...

    def write(self, block: bytes, /) -> int:
        """Append the block."""
        ...

    def discard(self) -> None:
        """Forget the bytes; harmless after `Store.put` and when called twice."""
        ...


class Store(Protocol):
    """Objects that are written once under a name and never change.

    Names are relative paths of `[a-z0-9._-]` parts. All methods raise DbopsError only.
    """

    @property
    def title(self) -> str:
        """What messages call this store."""
        ...

    def spool(self) -> Spool:
        """Begin an object whose name may not be known yet."""
        ...

    def put(self, name: str, spool: Spool) -> None:
        """Afterwards the whole object is there, durably, or none of it.

        Raises ObjectExists where the name is taken; what is there stays as it is. Consumes the
        spool either way.
        """
        ...

    def open(self, name: str) -> BinaryIO:
        """Open the object for reading; raises NotFound."""
        ...

    def find(self, name: str) -> StoredObject | None:
        """The object as a listing would show it, or None."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below the prefix (a whole path part), by name."""
        ...

    def delete(self, name: str) -> None:
        """Afterwards the object is gone; harmless where it was gone before."""
        ...

    def free_bytes(self) -> int | None:
        """Room left, in bytes; None where the store cannot tell."""
        ...

    def sweep(self) -> int:
        """Remove spools whose writers are dead; returns how many."""
        ...


def put_bytes(store: Store, name: str, data: bytes) -> None:
    """`Store.put` for an object that fits in memory."""
    spool = store.spool()
    try:
        spool.write(data)
        store.put(name, spool)
    finally:
        spool.discard()


def read_bytes(store: Store, name: str, limit: int = 256 << 20) -> bytes:
    """The whole object; refuses one of more than `limit` bytes, which no small object has."""
    with store.open(name) as source:
        data = source.read(limit + 1)
    if len(data) > limit:
        raise Failed(
            "object-too-large",
            f"{name} is larger than {limit} bytes",
            hint="dbops backup verify --all --level stored",
        )
    return data
