"""Ledgers for the tests of `dbops audit`: what an estate did, and what somebody did to it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from click.testing import CliRunner, Result

from dbops.audit.entry import Draft, Event, Phase
from dbops.cli.ledger import ledger_of, recording
from dbops.cli.root import main
from dbops.errors import Finding
from tests.support.estate import BuiltEstate


def at(estate: BuiltEstate, *arguments: object) -> Result:
    """What `dbops ARGUMENTS` does on the estate, without a terminal."""
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(main, ["--estate", str(estate.root / "dbops.toml"), *words])


def begin_ledger(estate: BuiltEstate) -> None:
    """Afterwards the ledger has six entries: opened, two works with outcomes, a heartbeat."""
    with recording(estate.wiring, _intent("lab")):
        pass
    with suppress(Finding), recording(estate.wiring, _intent("pacs")):
        raise Finding("rpo-missed", "the backup is too old", hint="take one")
    ledger_of(estate.wiring).append(Draft(event=Event.LEDGER_HEARTBEAT))


def _intent(database: str) -> Draft:
    return Draft(event=Event.BACKUP_RUN, phase=Phase.INTENT, target=database)


def with_anchor(estate: BuiltEstate, name: str = "hospital", kind: str = "directory") -> Path:
    """Afterwards the estate has one more anchor, an empty directory beside its `dbops.toml`."""
    place = estate.root / ("anchor" if name == "hospital" else name)
    place.mkdir()
    config = estate.root / "dbops.toml"
    text = f'\n[audit.anchors.{name}]\nkind = "{kind}"\npath = "{place.name}"\n'
    config.write_text(config.read_text("utf-8") + text, "utf-8")
    return place


def segment_of(estate: BuiltEstate) -> Path:
    """The only segment of the ledger."""
    (path,) = (estate.root / "audit" / "seg").iterdir()
    return path
