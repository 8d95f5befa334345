"""A backup, opened: what an engine restores from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dbops.backup.ports import Advance
from dbops.crypto.age import Identity
from dbops.errors import Failed
from dbops.repository.check import check_readable, foreign_packs, identities_for
from dbops.repository.manifest import Catalogue, Envelope, Facts
from dbops.repository.opening import RangeReader, pack_order
from dbops.repository.ports import Store
from dbops.repository.ranges import Stream
from dbops.repository.reader import Repository


class BackupReader:
    """Reads streams of one backup, on one thread."""

    def __init__(self, ranges: RangeReader) -> None:
        self._ranges = ranges

    def read(self, stream: Stream) -> Iterator[bytes]:
        return self._ranges.read_stream(stream)


@dataclass(frozen=True, slots=True)
class BackupContents:
    """Implements the `Contents` port over a repository.

    `seen` grows by every range that any reader has read whole and right.
    """

    store: Store
    envelope: Envelope
    catalogue: Catalogue
    identities: tuple[Identity, ...] = field(repr=False)
    seen: set[tuple[str, int]] = field(default_factory=set, repr=False, compare=False)

    @property
    def title(self) -> str:
        return str(self.envelope.id)

    @property
    def server(self) -> str:
        return self.envelope.server

    @property
    def streams(self) -> tuple[Stream, ...]:
        packs = [pack.sha256 for pack in self.envelope.packs]
        return tuple(pack_order(self.catalogue.streams, packs))

    @property
    def facts(self) -> Facts:
        return self.catalogue.facts

    @contextmanager
    def open(self) -> Iterator[BackupReader]:
        ranges = self.range_reader()
        try:
            yield BackupReader(ranges)
        finally:
            ranges.close()

    def range_reader(self) -> RangeReader:
        database = self.envelope.database
        return RangeReader(self.store, database, self.catalogue.key, self.identities, self.seen)


def read_whole(contents: BackupContents, advance: Advance) -> None:
    """Every range was read and matches its digest; raises the first damage, and NoIdentity."""
    reader = contents.range_reader()
    try:
        damages = check_readable(
            reader, contents.envelope, contents.catalogue, contents.seen, advance
        )
    finally:
        reader.close()
    for damage in damages:
        more = f" (and {len(damages) - 1} more)" if len(damages) > 1 else ""
        raise Failed(
            "backup-damaged",
            f"{contents.title} cannot be read whole: {damage.reason}{more}; nothing was changed",
            hint=f"choose another backup: dbops backup list {contents.envelope.database}",
        )


def open_contents(
    repository: Repository, envelope: Envelope, identities: Sequence[Identity]
) -> BackupContents:
    """The backup's contents; raises NoIdentity where none of the identities opens it."""
    at_hand = identities_for(envelope, identities)
    catalogue = repository.catalogue(envelope, at_hand)
    for damage in foreign_packs(envelope, catalogue.streams):
        raise Failed(
            "catalogue-foreign",
            f"the catalogue of {envelope.id} is damaged: {damage}",
            hint="restore from another backup: dbops backup list",
        )
    return BackupContents(repository.store, envelope, catalogue, at_hand)
