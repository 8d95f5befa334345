"""Which schema a database is to have: what the ledger says last, and no text but that one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dbops.audit.entry import DigestOf, Draft, Event, Phase, Result
from dbops.change.schema import ObjectKind, ObjectName, Schema, SchemaObject
from dbops.change.schema_text import schema_text
from dbops.cli.baselines import baseline_of, has_baseline, keep_schema
from dbops.cli.ledger import ledger_of
from dbops.errors import Failed, NotFound
from tests.support.estate import BuiltEstate, found_test_estate, open_test_estate
from tests.support.ledger import lines_of

WORK = "2026-120-baseline"


def table(name: str) -> Schema:
    """A schema of one table."""
    found = ObjectName(ObjectKind.TABLE, (name,))
    return Schema({found: SchemaObject(found, {"strict": "yes"})})


ONE, OTHER = table("visit"), table("room")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate that has recorded the one schema for its database."""
    estate = found_test_estate(tmp_path_factory.mktemp("baselines") / "estate")
    append(estate, said(Event.CHANGE_RECORD, keep_schema(estate.wiring, "example", ONE)))
    return estate


@pytest.fixture
def estate(founded: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    """A copy of it, which keeps the text of the other one as well."""
    shutil.copytree(founded.root, tmp_path / "estate", symlinks=True)
    copy = open_test_estate(tmp_path / "estate")
    keep_schema(copy.wiring, "example", OTHER)
    return copy


def said(
    event: Event,
    digest: str | None,
    *,
    result: Result | None = Result.DONE,
    target: str = "example",
) -> Draft:
    """What the ledger is told of a schema: an outcome, or an intent where there is no result."""
    digests: Mapping[DigestOf, str] = {} if digest is None else {DigestOf.SCHEMA: digest}
    return Draft(
        event=event,
        phase=Phase.INTENT if result is None else Phase.OUTCOME,
        of=None if result is None else 0,
        target=target,
        work=WORK,
        digests=digests,
        result=result,
    )


def append(estate: BuiltEstate, draft: Draft) -> None:
    """The ledger has it."""
    ledger_of(estate.wiring).append(draft)


def is_recorded(estate: BuiltEstate, schema: Schema) -> bool:
    """Whether that is the schema that the database is to have."""
    return baseline_of(estate.wiring, "example")[0] == schema


@pytest.mark.parametrize(
    "event", [Event.CHANGE_RUN, Event.CHANGE_REVERT, Event.CHANGE_RESUME, Event.CHANGE_RECORD]
)
def test_the_last_that_was_done_counts(estate: BuiltEstate, event: Event) -> None:
    """Whether people recorded it or a change did, whichever way that went."""
    append(estate, said(event, OTHER.digest))
    found, entry = baseline_of(estate.wiring, "example")
    assert (found, entry.draft.event) == (OTHER, event)


@pytest.mark.parametrize("result", [None, *(each for each in Result if each is not Result.DONE)])
def test_what_was_not_done_does_not_count(estate: BuiltEstate, result: Result | None) -> None:
    """Neither what somebody was about to record, nor what ended in any other way."""
    append(estate, said(Event.CHANGE_RECORD, OTHER.digest, result=result))
    assert is_recorded(estate, ONE)


@pytest.mark.parametrize(
    "draft",
    [
        said(Event.CHANGE_REHEARSE, OTHER.digest),
        said(Event.CHANGE_RECORD, OTHER.digest, target="copy"),
        said(Event.CHANGE_RUN, None),
        replace(said(Event.CHANGE_RECORD, OTHER.digest), phase=Phase.RECORD, of=None),
    ],
    ids=["a rehearsal", "another database", "a run that recorded nothing", "no outcome"],
)
def test_what_does_not_say_it_does_not_count(estate: BuiltEstate, draft: Draft) -> None:
    """What a copy was like, what another database is to have, what has no digest or no intent."""
    append(estate, draft)
    assert is_recorded(estate, ONE)


def test_the_text_of_another_schema_is_not_taken_for_it(estate: BuiltEstate) -> None:
    """Whoever can write to the state directory decides nothing: the ledger has the digest."""
    (kept,) = (estate.root / "state").rglob(f"{ONE.digest}.schema")
    kept.write_bytes(schema_text(OTHER))
    with pytest.raises(Failed) as caught:
        baseline_of(estate.wiring, "example")
    entry = len(lines_of(estate.root)) - 1
    told = f"the schema of example that ledger entry {entry} recorded does not lie on this host"
    assert (caught.value.code, caught.value.message) == ("baseline-lost", f"{told} as it was")
    again = "record it anew: dbops change record example --id ID --author PRINCIPAL"
    assert caught.value.hint == again
    assert not has_baseline(estate.wiring, "example")


def test_a_database_of_which_nothing_was_recorded_has_none(estate: BuiltEstate) -> None:
    """It is said what to type."""
    with pytest.raises(NotFound) as caught:
        baseline_of(estate.wiring, "copy")
    assert caught.value.message == "no schema of copy was ever recorded"
    assert not has_baseline(estate.wiring, "copy")


@pytest.mark.parametrize("damage", [schema_text(OTHER), b"nothing that dbops writes"])
def test_a_damaged_text_is_mended_by_recording_it_anew(estate: BuiltEstate, damage: bytes) -> None:
    """Whatever lies under the digest: the hint of the error leads out of it."""
    (kept,) = (estate.root / "state").rglob(f"{ONE.digest}.schema")
    kept.write_bytes(damage)
    with pytest.raises(Failed) as caught:
        baseline_of(estate.wiring, "example")
    assert caught.value.code == "baseline-lost"
    append(estate, said(Event.CHANGE_RECORD, keep_schema(estate.wiring, "example", ONE)))
    assert baseline_of(estate.wiring, "example")[0] == ONE
