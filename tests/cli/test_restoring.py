"""What the ledger says of a restore that broke off: in doubt its effect is unknown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dbops.audit.entry import Draft, Effect, Event
from dbops.backup.ports import Contents, Engine, RestoreOrder
from dbops.cli.restoring import Restoration, restore_recorded
from dbops.cli.wiring import Wiring
from dbops.errors import DbopsError, Failed, NoIdentity, NotFound, Refused, Unreachable
from dbops.estate.values import Address
from tests.support.estate import DATABASE, BuiltEstate, copy_estate, found_test_estate, take_backup
from tests.support.ledger import deeds_of
from tests.support.memory_engine import MemoryEngine

ROWS = {"t": (b"1", b"2", b"3")}
GONE = Unreachable("server-gone", "the server went away", hint="look at it")
BROKEN = Failed("target-broke", "the target broke", hint="look at it")
NO_KEY = NoIdentity("no-identity", "no identity opens a pack", hint="look at it")
NO_PACK = NotFound("object-missing", "a pack is missing", hint="look at it")
NO_TABLE = NotFound("no-table", "the backup has no such table", hint="look at it")
UNFIT = Refused("target-unfit", "the target does not take it", hint="look at it")


@dataclass
class BreakingEngine(MemoryEngine):
    """A target that raises `fault` when it is looked at, or else when it is written to."""

    fault: DbopsError = GONE
    at_once: bool = False

    def obstacles(self) -> tuple[str, ...]:
        if self.at_once:
            raise self.fault
        return super().obstacles()

    def restore(self, contents: Contents, order: RestoreOrder) -> None:  # noqa: ARG002
        raise self.fault


@dataclass(frozen=True)
class Rigged(Wiring):
    """The estate's parts, with another engine behind every address."""

    rig: Callable[[], Engine] = field(default=MemoryEngine)

    def engine(self, address: Address) -> Engine:  # noqa: ARG002
        return self.rig()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with a backup of three rows."""
    estate = found_test_estate(tmp_path_factory.mktemp("restoring") / "estate")
    take_backup(estate, engine=MemoryEngine(dict(ROWS)))
    return estate


def restore(estate: BuiltEstate, engine: Engine) -> Draft:
    """The outcome of restoring the backup into the engine, which is overwritten."""
    wiring = Rigged(estate.wiring.estate, {}, estate.clock, rig=lambda: engine)
    address, opening = wiring.database(DATABASE), wiring.identities()
    work = Restoration(address, DATABASE, None, estate.repository, estate.newest(), opening)
    with suppress(DbopsError):
        restore_recorded(wiring, work, RestoreOrder(), overwrite=True, compare=False)
    (deed,) = deeds_of(estate.root, Event.RESTORE_RUN)
    assert deed.outcome is not None
    return deed.outcome


@pytest.mark.parametrize(
    ("engine", "effect"),
    [
        (BreakingEngine(fault=GONE, at_once=True), Effect.NONE),
        (BreakingEngine(fault=GONE), Effect.UNKNOWN),
        (BreakingEngine(fault=BROKEN), Effect.UNKNOWN),
        (BreakingEngine(fault=NO_KEY), Effect.UNKNOWN),
        (BreakingEngine(fault=NO_PACK), Effect.UNKNOWN),
        (BreakingEngine(fault=NO_TABLE), Effect.NONE),
        (BreakingEngine(fault=UNFIT), Effect.NONE),
        (BreakingEngine(fault=UNFIT, tables={"old": (b"1",)}), Effect.UNKNOWN),
        (MemoryEngine(tables={"old": (b"1",)}), Effect.COMMITTED),
    ],
    ids=[
        *("never there", "gone half way", "broke", "no key half way", "no pack half way"),
        *("no such table", "refused", "refused when cleared", "done"),
    ],
)
def test_effect(made: BuiltEstate, tmp_path: Path, engine: Engine, effect: Effect) -> None:
    """A server that goes away half way, or a target that is cleared, is not as it was."""
    estate = copy_estate(made, tmp_path / "estate")
    assert restore(estate, engine).effect is effect
