"""Take one backup of one database.

The order is the safety: hold one instant; read every range into sealed packs; compare what was
read with what another connection counted; confirm that the instant held; seal the catalogue; and
put the signed envelope last. A backup exists if and only if its envelope does, so a crash at any
point leaves garbage and never a false backup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dbops.backup.ports import Advance, Engine, Snapshot, StreamPlan
from dbops.backup.workers import ReadOrder, read_units
from dbops.crypto.age import Recipient
from dbops.crypto.signing import Signer
from dbops.errors import Failed, TryAgain
from dbops.estate.values import Witness
from dbops.repository.catalogue import CATALOGUE_FORMAT, write_lines
from dbops.repository.chain import Head, History
from dbops.repository.codec import whole_second
from dbops.repository.frames import Payload
from dbops.repository.layout import digest
from dbops.repository.manifest import (
    ENVELOPE_FORMAT,
    CatalogueEntry,
    CatalogueHead,
    Envelope,
    Facts,
    Gap,
    PackEntry,
    SealedTo,
    Totals,
)
from dbops.repository.packing import PACK_BYTES, PackOrder, WrittenPack
from dbops.repository.ports import Store
from dbops.repository.ranges import NOTHING, Proof, StoredRange, Stream
from dbops.repository.reader import Repository
from dbops.repository.recipients import RecipientList
from dbops.repository.writer import put_catalogue, put_envelope, put_recipients

WITNESS_EVERY = timedelta(days=7)
ATTEMPTS = 3


def witness_due(policy: Witness, now: datetime, *, fresh: bool, last: datetime | None) -> bool:
    """Whether this backup takes a witness; `fresh` says that it begins a generation."""
    if policy is Witness.ALWAYS or fresh or last is None:
        return True
    return policy is Witness.WEEKLY and now - last >= WITNESS_EVERY


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """Who can open the backup, and who signs it.

    `document` is the signed recipients document, from which `recipients` was read.
    """

    recipients: RecipientList
    document: bytes
    catalogue: Recipient
    signer: Signer


@dataclass(frozen=True, slots=True)
class BackupOrder:
    """One backup to take. `grace` is the policy's: a run of more than half of it gives up.

    `expect` is told an estimate of the bytes to read, once it is known.
    """

    database: str
    engine: str
    host: str
    tool: str
    keys: SealingKeys
    proof_key: bytes = field(repr=False)
    jobs: int = 1
    grace: timedelta = timedelta(hours=48)
    generation: timedelta = timedelta(days=28)
    witness: Witness = Witness.WEEKLY
    pack_bytes: int = PACK_BYTES
    expect: Advance = field(default=lambda _: None, compare=False)


@dataclass(frozen=True, slots=True)
class _Read:
    """What the instant held, before it is written down."""

    identity: str
    server: str
    taken_at: datetime
    gaps: tuple[Gap, ...]
    streams: tuple[Stream, ...]
    packs: tuple[PackEntry, ...]
    tables: dict[str, Proof]
    facts: Facts


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in its chain the backup will stand."""

    sequence: int
    predecessor: str | None
    generation: int
    witness: bool


def create_backup(
    engine: Engine,
    repository: Repository,
    history: History,
    order: BackupOrder,
    clock: Callable[[], datetime],
    advance: Advance,
) -> tuple[Envelope, Head]:
    """Afterwards the backup exists, is durable, and is the newest of its database.

    A damaged chain does not stop the night: the backup follows the newest link ever seen, and
    the damage stays in sight. Saying so is the caller's business.

    `advance` is told the bytes read. Raises Failed or Refused where the backup could not be
    whole, and ObjectExists where another host took its number; then no backup was made.
    """
    started = clock()
    place = _place(history, order, started)
    recipients = order.keys.recipients.backup_keys
    read = _read_at_rest(engine, repository.store, order, place, advance)
    head = CatalogueHead(CATALOGUE_FORMAT, order.database, place.sequence, order.proof_key.hex())
    catalogue = put_catalogue(
        repository.store,
        order.database,
        write_lines(head, read.streams, read.tables, read.facts, read.gaps),
        (*recipients, order.keys.catalogue),
    )
    put_recipients(repository.store, order.keys.document)
    _refuse_outlasted(started, clock(), order.grace)
    envelope = _envelope(repository.id, order, place, read, catalogue, (started, clock()))
    document = put_envelope(repository.store, envelope, order.keys.signer)
    return envelope, Head(place.sequence, digest(document))


def _read_at_rest(
    engine: Engine, store: Store, order: BackupOrder, place: _Place, advance: Advance
) -> _Read:
    """Read one instant; where the source was moving, let go of everything and try once more.

    The packs of an attempt that failed are garbage.
    """
    recipients = order.keys.recipients.backup_keys
    pack = PackOrder(order.database, place.sequence, order.proof_key, recipients, order.pack_bytes)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with engine.snapshot() as snapshot:
                source = ReadOrder(snapshot.recipe, store, pack)
                return _read(snapshot, source, order, place, advance)
        except TryAgain:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _place(history: History, order: BackupOrder, now: datetime) -> _Place:
    before = history.newest
    sequence = before.sequence + 1 if before else 1
    last = history.living[-1].envelope if history.living else None
    generation = sequence
    if last is not None:
        first = min(
            backup.envelope.snapshot
            for backup in history.living
            if backup.envelope.generation == last.generation
        )
        generation = last.generation if now - first < order.generation else sequence
    witness = witness_due(
        order.witness, now, fresh=generation == sequence, last=_last_witness(history)
    )
    return _Place(sequence, before.sha256 if before else None, generation, witness)


def _last_witness(history: History) -> datetime | None:
    return max(
        (backup.envelope.snapshot for backup in history.living if backup.envelope.witness),
        default=None,
    )


def _read(
    snapshot: Snapshot, source: ReadOrder, order: BackupOrder, place: _Place, advance: Advance
) -> _Read:
    plans = snapshot.streams()
    units = [unit for plan in plans for unit in plan.units]
    order.expect(sum(unit.weight for unit in units))
    packs = read_units(source, units, order.jobs, advance)
    streams = _assemble(plans, packs)
    tables = snapshot.tables(order.proof_key)
    facts = snapshot.facts(witness=place.witness)
    _compare_counts(streams, tables, facts)
    snapshot.confirm()
    return _Read(
        snapshot.identity,
        snapshot.server,
        snapshot.taken_at,
        snapshot.gaps,
        streams,
        tuple(sorted((pack.entry for pack in packs), key=lambda entry: entry.sha256)),
        tables,
        facts,
    )


def _assemble(plans: Sequence[StreamPlan], packs: Sequence[WrittenPack]) -> tuple[Stream, ...]:
    """The streams with their ranges in order; raises Failed where a range is missing or double."""
    found: dict[str, list[StoredRange]] = {plan.name: [] for plan in plans}
    for pack in packs:
        for name, part in pack.ranges:
            found[name].append(part)
    streams = []
    for plan in plans:
        ranges = sorted(found[plan.name], key=lambda part: part.index)
        if [part.index for part in ranges] != list(range(plan.ranges)):
            raise Failed(
                "stream-incomplete",
                f"{plan.name}: {len(ranges)} ranges were read instead of {plan.ranges}",
                hint="run the command again; if it happens twice, report it with dbops doctor",
            )
        streams.append(Stream(plan.name, plan.payload, plan.detail, tuple(ranges)))
    return tuple(streams)


def _compare_counts(streams: Sequence[Stream], tables: dict[str, Proof], facts: Facts) -> None:
    """A reader cannot vouch for itself: another connection counted the rows of the same instant."""
    read = {item.name: item.proof.records for item in streams if item.payload is Payload.ROWS}
    read |= {name: proof.records for name, proof in tables.items()}
    counted = {name: int(count) for name, count in facts["count"].items()}
    wrong = sorted(
        name for name in read.keys() | counted.keys() if read.get(name) != counted.get(name)
    )
    if wrong:
        raise Failed(
            "count-differs",
            f"{len(wrong)} tables were not read whole; the first is {wrong[0]}: "
            f"{read.get(wrong[0], 0)} rows read, {counted.get(wrong[0], 0)} counted",
            hint="check the source for corruption; no backup was made",
        )


def _refuse_outlasted(started: datetime, now: datetime, grace: timedelta) -> None:
    """Expiry deletes unnamed packs once they are older than the grace period."""
    if now - started > grace / 2:
        raise Failed(
            "run-outlasted",
            f"the run took {now - started}, more than half of the grace period of {grace}",
            hint="lengthen grace in the policy, or raise --jobs; no backup was made",
        )


def _envelope(
    repository: str,
    order: BackupOrder,
    place: _Place,
    read: _Read,
    catalogue: CatalogueEntry,
    times: tuple[datetime, datetime],
) -> Envelope:
    listed = order.keys.recipients.openers
    return Envelope(
        format=ENVELOPE_FORMAT,
        repository=repository,
        database=order.database,
        engine=order.engine,
        identity=read.identity,
        server=read.server,
        sequence=place.sequence,
        predecessor=place.predecessor,
        generation=place.generation,
        witness=place.witness,
        started=whole_second(times[0]),
        snapshot=whole_second(read.taken_at),
        finished=whole_second(times[1]),
        host=order.host,
        tool=order.tool,
        recipients=digest(order.keys.document),
        sealed_to=tuple(SealedTo(item.role, item.name, item.recipient) for item in listed),
        catalogue=catalogue,
        packs=read.packs,
        totals=_totals(read, catalogue),
    )


def _totals(read: _Read, catalogue: CatalogueEntry) -> Totals:
    whole = NOTHING
    for stream in read.streams:
        whole = whole.plus(stream.proof)
    return Totals(
        streams=len(read.streams),
        ranges=sum(len(stream.ranges) for stream in read.streams),
        records=whole.records,
        bytes=whole.bytes,
        stored=sum(pack.size for pack in read.packs if pack.own) + catalogue.size,
        gaps=len(read.gaps),
    )
