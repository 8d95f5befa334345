"""The schemas beside a change, in words: a reviewer signs them, and nobody reads them as they lie.

A baseline is told by what differs from the schema before it: what this host knows to be recorded,
or else the newest baseline of that database in the ops repository whose author signed it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from dbops.change.schema import Schema
    from dbops.cli.review_overview import Desk
    from dbops.review.work import Work

    _Teller = Callable[[Desk, Work, str], Iterator[str]]


@dataclass(frozen=True, slots=True)
class _Before:
    """A schema that a baseline is compared with, what it is in words, and what is doubtful of it.

    `schema` is None where there is none.
    """

    schema: Schema | None
    called: str
    remarks: tuple[str, ...] = ()


def schema_words(desk: Desk, work: Work) -> Mapping[str, list[str]]:
    """What people read of the change's files that hold schemas, by their path."""
    from dbops.change.rehearsed_files import difference_file, end_files, source_file
    from dbops.change.schema_text import SOURCE
    from dbops.errors import DbopsError
    from dbops.review.work import Kind, read_manifest

    if work.kind is not Kind.CHANGE:
        return {}
    try:
        databases = read_manifest(work).databases
    except DbopsError:
        return {}  # the manifest is told about by itself
    tellers: dict[str, _Teller] = {source_file(name): _rehearsed_source for name in databases}
    tellers |= {difference_file(name): _rehearsed_difference for name in databases}
    for name in databases:
        tellers |= dict.fromkeys(end_files(name, work.files).values(), _rehearsed_end)
    if len(databases) == 1:
        tellers[SOURCE] = _baseline
    found: dict[str, list[str]] = {}
    for path in tellers.keys() & work.files.keys():
        try:
            found[path] = list(tellers[path](desk, work, path))
        except DbopsError as fault:
            found[path] = [f"cannot be told in words: {fault.message}"]
        whole = desk.worktree / work.folder / path
        found[path].append(f"the whole text, a line an object: less {shlex.quote(str(whole))}")
    return found


def baseline_json(desk: Desk, work: Work | None) -> dict[str, object] | None:
    """What `--json` says of a baseline; None for work that is none."""
    from dbops.change.diff import compare_schemas
    from dbops.change.schema_text import SOURCE
    from dbops.cli.changing import told
    from dbops.errors import DbopsError

    if work is None or SOURCE not in schema_words(desk, work):
        return None
    try:
        schema = _parsed(work, SOURCE)
        before = _before(desk, work)
    except DbopsError as fault:
        return {"objects": None, "compared_with": None, "words": [], "remarks": [fault.message]}
    words = [] if before.schema is None else told(compare_schemas(before.schema, schema))
    return {
        "objects": _counts(schema),
        "compared_with": None if before.schema is None else before.called,
        "words": words,
        "remarks": before.remarks,
    }


def _baseline(desk: Desk, work: Work, path: str) -> Iterator[str]:
    from dbops.change.diff import compare_schemas
    from dbops.cli.changing import told_in_full
    from dbops.cli.render import counted

    schema = _parsed(work, path)
    yield f"the schema that is to be recorded: {_summary(schema)}"
    before = _before(desk, work)
    yield from (f"remark: {remark}" for remark in before.remarks)
    if before.schema is None:
        yield f"compared with nothing: {before.called}"
        return
    differences = compare_schemas(before.schema, schema)
    number = counted(len(differences), "difference") if differences else "no difference"
    yield f"compared with {before.called}: {number}"
    yield from (f"  {line}" for line in told_in_full(differences))


def _rehearsed_source(_desk: Desk, work: Work, path: str) -> Iterator[str]:
    yield f"the schema before the change, as the backup has it: {_summary(_parsed(work, path))}"


def _rehearsed_difference(_desk: Desk, work: Work, path: str) -> Iterator[str]:
    yield "what the change came to when it was rehearsed:"
    yield from _differences(work, path)


def _rehearsed_end(_desk: Desk, work: Work, path: str) -> Iterator[str]:
    """Of a part behind which others come: a run compares with it before it goes on."""
    yield "what differed from the start when a part of it had ended:"
    yield from _differences(work, path)


def _differences(work: Work, path: str) -> Iterator[str]:
    from dbops.change.diff_text import parse_diff
    from dbops.cli.changing import told_in_full

    differences = parse_diff(work.files[path], f"{work.folder}/{path}")
    yield from (f"  {line}" for line in told_in_full(differences))


def _parsed(work: Work, path: str) -> Schema:
    from dbops.change.schema_text import parse_schema

    return parse_schema(work.files[path], f"{work.folder}/{path}")


def _counts(schema: Schema) -> dict[str, int]:
    """How many objects there are, by kind, in the order in which kinds are told."""
    from dbops.change.schema import ObjectKind

    kinds = [name.kind for name in schema.objects]
    return {kind.value: kinds.count(kind) for kind in ObjectKind if kind in kinds}


def _summary(schema: Schema) -> str:
    from dbops.change.words import printable

    counts = ", ".join(
        f"{count} {kind if count == 1 else _several(kind)}"
        for kind, count in _counts(schema).items()
    )
    unknown = ", ".join(map(printable, schema.unknown))
    beside = f"; and what dbops does not compare: {unknown}" if unknown else ""
    return f"{counts or 'no object'}{beside}"


def _several(kind: str) -> str:
    """The plural of a kind."""
    if kind.endswith(("statistics", "privileges")):
        return kind
    if kind.endswith("y"):
        return f"{kind[:-1]}ies"
    return f"{kind}es" if kind.endswith(("s", "x")) else f"{kind}s"


def _before(desk: Desk, work: Work) -> _Before:
    """What the baseline is compared with: as recorded here, else as signed in the repository."""
    from dbops.cli.baselines import baseline_of
    from dbops.cli.render import moment
    from dbops.errors import Failed, NotFound
    from dbops.review.work import read_manifest

    (database,) = read_manifest(work).databases
    try:
        schema, entry = baseline_of(desk.wiring, database)
    except NotFound:
        return _signed_before(desk, work, database, ())
    except Failed as fault:
        return _signed_before(desk, work, database, (fault.message,))
    when = moment(entry.at, desk.wiring.estate.zone)
    by = "by this change" if entry.draft.work == work.id else f"by {entry.draft.work}"
    called = f"what was recorded {when} {by} (ledger entry {entry.sequence})"
    return _Before(schema, called)


def _signed_before(desk: Desk, work: Work, database: str, remarks: tuple[str, ...]) -> _Before:
    """The newest baseline of the database that was signed before; the ledger knows none."""
    from dbops.change.schema_text import SOURCE
    from dbops.cli.render import moment

    own = _signed_at(desk, work)
    found = [
        (at, other)
        for folder in desk.folders(None)
        if folder.name != work.id and (other := _other_baseline(desk, folder.name, database))
        for at in [_signed_at(desk, other)]
        if at is not None and (own is None or at <= own)
    ]
    if not found:
        nothing = f"no schema of {database} is known to be recorded, here or in the ops repository"
        return _Before(None, nothing, remarks)
    at, other = max(found, key=lambda each: (each[0], each[1].id))
    doubt = "whether that one was recorded, and what ran since, is not known to this host's ledger"
    called = f"{other.folder}, signed by its author {moment(at, desk.wiring.estate.zone)}"
    return _Before(_parsed(other, SOURCE), called, (*remarks, doubt))


def _other_baseline(desk: Desk, work_id: str, database: str) -> Work | None:
    """The piece of work, if it is a baseline of that database and of no other."""
    from dbops.change.schema_text import SOURCE
    from dbops.errors import DbopsError
    from dbops.review.folder import read_work
    from dbops.review.purpose import Purpose, purposes_of
    from dbops.review.work import read_manifest

    try:
        (folder,) = desk.folders(work_id)
        other = read_work(desk.worktree, folder)
        if read_manifest(other).databases != (database,) or SOURCE not in other.files:
            return None
        _parsed(other, SOURCE)
        return other if Purpose.RECORD in purposes_of(other) else None
    except DbopsError:
        return None


def _signed_at(desk: Desk, work: Work) -> datetime | None:
    """When its author signed the files that lie there; None where nobody did."""
    from dbops.errors import DbopsError
    from dbops.review.verified import verify_statement
    from dbops.review.work import read_manifest

    author = read_manifest(work).author
    if author not in work.statements:
        return None
    try:
        found = verify_statement(work, author, desk.policy, desk.wiring.trust, desk.now)
    except DbopsError:
        return None
    same = found.statement.files == work.digests
    return found.statement.signed_at if same else None
