"""A repair drawn up: what was typed becomes a folder, or nothing is written."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dbops.cli.reading import read_named
from dbops.cli.typed_values import TEXT_MOST, pairs_of, sealed_texts
from dbops.errors import NotFound, Refused, UsageFault

if TYPE_CHECKING:
    from dbops.cli.repair_from_backup import FromBackup
    from dbops.cli.wiring import Wiring
    from dbops.repair.head import RepairHead
    from dbops.repair.manifest_writing import Tree
    from dbops.repair.payload import Payload
    from dbops.repair.playbook import Playbook

_EMPTY_SCRIPT: Final = b"-- One or more statements, each ended by a semicolon.\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What the author says of it, as typed."""

    id: str
    database: str | None
    title: str | None
    author: str
    ticket: str | None
    risk: str | None
    opened: str | None
    clocks: tuple[str, ...]
    cause: str | None
    fix: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """What it is made from, as typed."""

    script: str | None
    playbook: str | None
    settings: tuple[str, ...]
    sealings: tuple[str, ...]
    backup: str | None
    table: str | None
    keys: tuple[str, ...]
    undo: str | None
    identities: tuple[str, ...]


def draw(wiring: Wiring, said: Said, source: Source) -> Path:
    """Afterwards the folder is in the work tree, and says what was meant; returns it."""
    from dbops.cli.reviewing import worktree_of
    from dbops.review.new_work import create_work, refuse_taken
    from dbops.review.work import Kind, Work, check_work_id

    _refuse_unclear(source)
    _refuse_texts(said)
    _refuse_clocks(wiring, said)
    check_work_id(said.id)
    worktree = worktree_of(wiring)
    refuse_taken(worktree, said.id)  # before a backup is restored for it
    files = _files(wiring, said, source)
    work = Work(Kind.REPAIR, said.id, f"{Kind.REPAIR.folder}/{said.id}", files)
    return create_work(worktree, work)


def _files(wiring: Wiring, said: Said, source: Source) -> dict[str, bytes]:
    if source.undo is not None:
        return _undo(wiring, said, source.undo)
    if source.playbook is not None:
        return _from_playbook(wiring, said, source, source.playbook)
    if source.backup is not None:
        return _from_backup(wiring, said, source, source.backup)
    return _from_script(wiring, said, source)


def _refuse_unclear(source: Source) -> None:
    ways = (source.script, source.playbook or source.backup, source.undo)
    if sum(way is not None for way in ways) > 1:
        raise UsageFault(
            "which-source",
            "--from, --playbook, --from-backup and --undo exclude each other",
            hint="give one; --playbook and --from-backup together fill the playbook's rows",
        )
    if source.settings and source.playbook is None:
        raise UsageFault(
            "set-alone", "--set is for a playbook", hint="add --playbook NAME: dbops playbook list"
        )
    parts = (source.backup, source.table, source.keys or None)
    if None in parts and any(part is not None for part in parts):
        raise UsageFault(
            "which-rows",
            "--from-backup, --table and --key belong together",
            hint="for example: --from-backup his@12 --table visit --key 1001",
        )


def _refuse_texts(said: Said) -> None:
    """What is typed is named as it was typed, not by its line of a file that is not there."""
    from dbops.cli.review_new import is_plain
    from dbops.review.work import TEXT_RULE, is_principal, is_text

    if not is_principal(said.author):
        raise UsageFault(
            "bad-author",
            "--author is no principal",
            hint="name one of the policy's persons as they sign: dbops trust show",
        )
    if said.fix is not None and said.cause is None:
        raise UsageFault(
            "fix-alone", "--fix stands beside a cause", hint='add --cause "why the data were wrong"'
        )
    typed = {"title": said.title, "ticket": said.ticket, "cause": said.cause, "fix": said.fix}
    for option, text in typed.items():
        if text is not None and not (is_text(text) and is_plain(text)):
            raise UsageFault(
                "bad-text",
                f"--{option} may not be that",
                hint=f"allowed: {TEXT_RULE}, none of them hidden",
            )


def _refuse_clocks(wiring: Wiring, said: Said) -> None:
    known = wiring.estate.clocks
    for name in said.clocks:
        if name not in known:
            raise NotFound(
                "no-clock",
                f'dbops.toml has no clock "{name}"',
                hint=f"there are: {', '.join(known) or 'none'}; see [clocks.NAME] of dbops.toml",
            )


def _opened(wiring: Wiring, said: Said) -> date:
    if said.opened is None:
        return wiring.clock().astimezone(wiring.estate.zone).date()
    try:
        return date.fromisoformat(said.opened)
    except ValueError:
        raise UsageFault(
            "opened-date", "--opened is no date", hint="for example: --opened 2026-11-20"
        ) from None


def _database(wiring: Wiring, said: Said) -> str:
    if said.database is None:
        raise UsageFault(
            "which-database", "no database is named", hint="add --database: dbops systems list"
        )
    return wiring.database(said.database).name


def _title(said: Said) -> str:
    if said.title is None:
        raise UsageFault("no-title", "the repair has no title", hint='add --title "what it is"')
    return said.title


def _head(wiring: Wiring, said: Said, database: str, title: str | None) -> RepairHead:
    from dbops.repair.head import RepairHead
    from dbops.review.work import Risk

    return RepairHead(
        id=said.id,
        author=said.author,
        database=database,
        title=title,
        ticket=said.ticket,
        risk=None if said.risk is None else Risk(said.risk),
        opened=_opened(wiring, said),
        clocks=said.clocks,
        cause=said.cause,
        fix=said.fix,
    )


def _head_tree(wiring: Wiring, said: Said, database: str, title: str) -> dict[str, Tree]:
    """The first lines of a manifest that dbops writes whole."""
    return _head(wiring, replace(said, risk=said.risk or "low"), database, title).tree


def _from_script(wiring: Wiring, said: Said, source: Source) -> dict[str, bytes]:
    from dbops.repair.draft import draft_manifest
    from dbops.repair.payload import Payload
    from dbops.repair.propose import Proposal, propose
    from dbops.review.work import SCRIPT, Kind

    database = _database(wiring, said)
    script = _EMPTY_SCRIPT if source.script is None else _script(source.script)
    proposal = Proposal(())
    if source.script is not None:
        dialect = wiring.repair_engine(wiring.database(database)).traits.dialect
        proposal = propose(script.decode("utf-8", "replace"), dialect)
    head = _head(wiring, said, database, _title(said))
    files = {Kind.REPAIR.manifest: draft_manifest(head, proposal).encode(), SCRIPT: script}
    sealed = sealed_texts(source.sealings)
    return files | (_payload(wiring, Payload(sealed)) if sealed else {})


def _script(path: str) -> bytes:
    """The text of the file; what ends in the middle of a line gets its end."""
    from dbops.crypto.trust import plain_text

    data = read_named(Path(path), TEXT_MOST)
    ended = data if data.endswith(b"\n") else data + b"\n"
    plain_text(ended, path)
    return ended


def _from_playbook(wiring: Wiring, said: Said, source: Source, name: str) -> dict[str, bytes]:
    from dbops.cli.playbook import shelves
    from dbops.repair.payload import Payload, RowSet
    from dbops.repair.playbook import check_sealed, instantiate
    from dbops.repair.shelf import find_playbook

    database = _database(wiring, said)
    chosen = find_playbook(name, shelves(str(wiring.estate.path))).playbook
    assert chosen is not None  # noqa: S101 - else finding it raises its fault
    _refuse_engine(wiring, chosen, database)
    head = _head(wiring, said, database, said.title)
    files = instantiate(chosen, pairs_of(source.settings, "--set"), head)
    texts, sets = sealed_texts(source.sealings), dict[str, RowSet]()
    check_sealed(chosen, texts)
    names = [each for each in chosen.sealed if chosen.parameters[each].type.value == "rows"]
    if source.backup is not None:
        from dbops.cli.repair_from_backup import rows_of_backup

        rows = rows_of_backup(wiring, _rows_of(said, source, database, source.backup))
        sets = dict.fromkeys(names, rows)
    missing = [each for each in chosen.sealed if each not in {*texts, *sets}]
    if missing:
        raise UsageFault(
            "playbook-sealed",
            f"{name} needs a sealed value for {', '.join(missing)}",
            hint=f"give each by a file: --seal {missing[0]}=FILE"
            if missing[0] not in names
            else "take its rows from a backup: --from-backup DB@N --table T --key K",
        )
    return files | (_payload(wiring, Payload(texts, sets)) if texts or sets else {})


def _refuse_engine(wiring: Wiring, chosen: Playbook, database: str) -> None:
    engine = wiring.database(database).engine.value
    if engine not in chosen.engines:
        raise UsageFault(
            "playbook-engine",
            f"{chosen.name} is not for {engine}, and {database} is",
            hint=f"it is for {', '.join(chosen.engines)}",
        )


def _from_backup(wiring: Wiring, said: Said, source: Source, backup: str) -> dict[str, bytes]:
    from dbops.cli.repair_from_backup import rows_to_bring_back
    from dbops.repair.bring_back import manifest_text, payload_of, script_text
    from dbops.review.work import SCRIPT, Kind

    database = _database(wiring, said)
    asked, found = rows_to_bring_back(wiring, _rows_of(said, source, database, backup))
    traits = wiring.repair_engine(wiring.database(database)).traits
    head = _head_tree(wiring, said, database, _title(said))
    files = {
        Kind.REPAIR.manifest: manifest_text(head, asked, found).encode(),
        SCRIPT: script_text(asked, found, overruling=traits.overruling).encode(),
    }
    return files | _payload(wiring, payload_of(asked, found))


def _rows_of(said: Said, source: Source, database: str, backup: str) -> FromBackup:
    from dbops.cli.repair_from_backup import FromBackup

    table = source.table or ""  # which was asked for
    return FromBackup(said.id, database, backup, table, source.keys, source.identities)


def _undo(wiring: Wiring, said: Said, undone: str) -> dict[str, bytes]:
    from dbops.cli.repairing import bundle_place, committed_bundles, read_repair
    from dbops.repair.manifest_writing import document_text, fields, located
    from dbops.review.work import Kind

    repair = read_repair(wiring, undone).repair
    if repair.undo_of is not None:
        raise UsageFault(
            "undo-of-undo",
            f"{undone} is an undo itself, and nothing takes an undo back",
            hint=f"draw {repair.undo_of.work} up anew, under another id, and have it reviewed",
        )
    if said.database not in {None, repair.database}:
        raise UsageFault(
            "undo-elsewhere",
            f"{undone} was of {repair.database}, and an undo is of the same",
            hint="leave --database out",
        )
    _refuse_undone(wiring, undone)
    bundles = committed_bundles(wiring, bundle_place(wiring), undone)
    # It is of the same ticket, and as risky as what it takes back.
    alike = replace(said, ticket=said.ticket or repair.ticket, risk=said.risk or repair.risk.value)
    tree: dict[str, Tree] = {
        **_head_tree(wiring, alike, repair.database, said.title or f"Undo of {undone}"),
        "limits": {"rows": str(repair.limits.rows)},
        **({"show": repair.show} if repair.show else {}),
        **({"search_path": repair.search_path} if repair.search_path else {}),
        "undo_of": {"work": undone, "bundles": bundles},
    }
    text = document_text(fields({key: located(each) for key, each in tree.items()}))
    return {Kind.REPAIR.manifest: text.encode()}


def _refuse_undone(wiring: Wiring, undone: str) -> None:
    """Raise Refused where the ledger knows that the last run was taken back already."""
    from dbops.audit.entry import Effect
    from dbops.cli.repair_list import recorded

    last = None
    for run in recorded(wiring):
        if undone in {run.work, run.undoes} and run.effect is Effect.COMMITTED:
            last = run
    if last is not None and last.undoes == undone:
        raise Refused(
            "undo-already",
            f"{undone} was taken back already, by {last.work}",
            hint=f"dbops audit log --work {last.work}",
        )


def _payload(wiring: Wiring, payload: Payload) -> dict[str, bytes]:
    from dbops.cli.repairing import readers_of_values
    from dbops.cli.reviewing import policy_of
    from dbops.repair.payload import seal_payload
    from dbops.review.work import PAYLOAD

    sealed = io.BytesIO()
    seal_payload(payload, readers_of_values(wiring, policy_of(wiring)), sealed)
    return {PAYLOAD: sealed.getvalue()}
