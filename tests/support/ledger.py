"""The ledger of a test estate, as it lies on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dbops.audit.entry import Draft, Entry, Event, Phase, decode


def lines_of(root: Path) -> list[bytes]:
    """Every whole line of the estate's ledger, in order; none where there is no ledger."""
    files = sorted((root / "audit" / "seg").glob("*.jsonl"))
    return [line for path in files for line in path.read_bytes().splitlines()]


def entries_of(root: Path) -> list[Entry]:
    """The entries in order."""
    return [decode(line) for line in lines_of(root)]


@dataclass(frozen=True, slots=True)
class Deed:
    """An intent and what answered it; `outcome` None where nothing did."""

    intent: Draft
    outcome: Draft | None


def deeds_of(root: Path, event: Event, *, after: int = 0) -> list[Deed]:
    """The intents of that event from the sequence `after` on, each with its outcome."""
    entries = entries_of(root)[after:]
    answers = {
        entry.draft.of: entry.draft for entry in entries if entry.draft.phase is Phase.OUTCOME
    }
    return [
        Deed(entry.draft, answers.get(entry.sequence))
        for entry in entries
        if entry.draft.event is event and entry.draft.phase is Phase.INTENT
    ]


def records_of(root: Path, event: Event) -> list[Draft]:
    """Entries of that event that stand for themselves."""
    drafts = [entry.draft for entry in entries_of(root)]
    return [each for each in drafts if each.event is event and each.phase is Phase.RECORD]
