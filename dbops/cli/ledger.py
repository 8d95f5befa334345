"""The ledger of the estate, wired: what commands record with, sign with and anchor to.

Everything is imported when it is asked for: most commands need one part of it, help needs none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from dbops.errors import DbopsError, NotFound, UsageFault

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.audit.anchor import Anchor
    from dbops.audit.append import Ledger
    from dbops.audit.entry import Draft
    from dbops.audit.recording import Account, Unwritable
    from dbops.audit.segments import Segments
    from dbops.audit.tiles import Tiles
    from dbops.cli.wiring import Wiring
    from dbops.crypto.signing import KeyFileSigner
    from dbops.estate.values import AnchorConfig

_PENDING: Final = "dbops.cli.ledger.pending"


def ledger_of(wiring: Wiring) -> Ledger:
    """This host's ledger, which the person at the keyboard appends to; made by the first entry."""
    from dbops.audit.actor import boot_id, observe_actor
    from dbops.audit.append import Ledger, LedgerPlace
    from dbops.cli.wiring import TOOL

    audit = wiring.estate.audit
    place = LedgerPlace(audit.directory, audit.origin, wiring.estate.host.name, TOOL)
    actor = observe_actor(wiring.environ)
    return Ledger(place, wiring.clock, actor, boot_id(), wiring.estate.zone)


def segments_of(wiring: Wiring) -> Segments:
    """Its lines, for reading; there may be none yet."""
    from dbops.audit.segments import Segments

    return Segments(wiring.estate.audit.directory)


def tiles_of(wiring: Wiring) -> Tiles:
    """The cache of its tree, never to be trusted by itself."""
    from dbops.audit.tiles import Tiles

    return Tiles(wiring.estate.audit.directory)


def anchors_of(wiring: Wiring) -> dict[str, Anchor]:
    """Where checkpoints are kept out of this host's reach, by name."""
    return {name: _anchor(config) for name, config in wiring.estate.audit.anchors.items()}


def _anchor(config: AnchorConfig) -> Anchor:
    from dbops.estate.values import AnchorKind

    title = f"anchor {config.name}"
    if config.kind is AnchorKind.GIT:
        from dbops.stores.git_anchor import GitAnchor

        return GitAnchor(config.path, title)
    from dbops.cli.placed_anchor import PlacedAnchor
    from dbops.stores.directory_anchor import DirectoryAnchor
    from dbops.stores.local import LocalStore

    return PlacedAnchor(config.path, DirectoryAnchor(LocalStore(config.path, title)))


def checkpoint_signer(wiring: Wiring) -> KeyFileSigner | None:
    """What signs checkpoints here; None where the estate names no key for it."""
    from dbops.crypto.signing import KeyFileSigner

    path = wiring.estate.audit.signing_key
    return KeyFileSigner.load(path) if path else None


def require_checkpoint_signer(wiring: Wiring) -> KeyFileSigner:
    """The same; raises UsageFault where there is none."""
    signer = checkpoint_signer(wiring)
    if signer is None:
        raise UsageFault(
            "no-ledger-key",
            "this host signs no checkpoints: dbops.toml has no audit.signing_key",
            hint="make one with dbops keys new signing, and name its file there",
        )
    return signer


def anchor_named(wiring: Wiring, name: str) -> Anchor:
    """The anchor of that name; raises NotFound."""
    config = wiring.estate.audit.anchors.get(name)
    if config is None:
        raise NotFound(
            "no-anchor",
            f'the estate has no anchor "{name}"',
            hint=f"there are: {', '.join(wiring.estate.audit.anchors) or 'none'}",
        )
    return _anchor(config)


def newest_note(wiring: Wiring) -> str | None:
    """The newest checkpoint that this host signed, **not verified**; None where there is none."""
    from dbops.audit.append import CHECKPOINT

    path = wiring.estate.audit.directory / CHECKPOINT
    return _read_note(path) if path.exists() else None


def sign_checkpoint(wiring: Wiring) -> str:
    """Afterwards all entries are under a new signed checkpoint; returns its note.

    Raises NotFound where there is no ledger, and UsageFault where there is no key.
    """
    from dbops.audit.append import CHECKPOINT

    segments_of(wiring).measure()
    ledger_of(wiring).checkpoint(require_checkpoint_signer(wiring))
    return _read_note(wiring.estate.audit.directory / CHECKPOINT)


def _read_note(path: Path) -> str:
    from dbops.cli.reading import NOTE_MOST, read_named

    return read_named(path, NOTE_MOST).decode("utf-8", "replace")


def checkpoint_quietly(wiring: Wiring) -> None:
    """Afterwards the newest entry is under a signed checkpoint, where a key is configured.

    Where that fails the command has still done its work: one line on standard error says so.
    """
    from dbops.cli.render import say

    try:
        if not segments_of(wiring).exist:
            return
        signer = checkpoint_signer(wiring)
        if signer is not None:
            ledger_of(wiring).checkpoint(signer)
    except DbopsError as failure:
        say(f"remark: the ledger has no new checkpoint: {failure.message}")


@contextmanager
def recording(
    wiring: Wiring, draft: Draft, *, unwritable: Unwritable | None = None
) -> Iterator[Account]:
    """Do the work of the block between an intent and its outcome in the ledger.

    `draft` is the intent. Without `unwritable` a ledger that cannot be written stops the command
    before its work; with GO_ON look at the account's `fault` afterwards. The command then ends
    with a signed checkpoint, one for all that it recorded.
    """
    from dbops.audit.recording import Unwritable, recorded
    from dbops.cli.stopping import around

    chosen = Unwritable.STOP if unwritable is None else unwritable
    context = click.get_current_context(silent=True)
    account: Account | None = None
    try:
        # A signal ends the work; what is written before and behind it is written whole.
        with (
            around() as work,
            recorded(ledger_of(wiring), draft, unwritable=chosen) as account,
            work(),
        ):
            if context is not None and account.fault is None:
                _checkpoint_at_the_end(wiring, context.find_root())
            yield account
    finally:
        if context is None and account is not None and account.fault is None:
            checkpoint_quietly(wiring)


def _checkpoint_at_the_end(wiring: Wiring, command: click.Context) -> None:
    """One checkpoint a command, not one for each of fifty databases."""
    pending: set[str] = command.meta.setdefault(_PENDING, set())
    directory = str(wiring.estate.audit.directory)
    if directory not in pending:
        pending.add(directory)
        command.call_on_close(lambda: checkpoint_quietly(wiring))
