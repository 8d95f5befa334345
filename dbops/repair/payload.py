"""The values of a repair that do not stand in its manifest: `payload.age`, sealed JSON lines.

The first line has the texts of the parameters and the columns of each set of rows; then follows,
for each set, a line with its name and one array for each row; the last line has the number of rows
of each set, so that a file that was cut short is told from a whole one.

    {"dbops": "payload/v1", "arguments": {"patient": "…"}, "sets": {"lost": ["id", "note"]}}
    {"rows": "lost"}
    ["1", null]
    {"end": {"lost": 1}}
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dbops.crypto.age import BlockSink, Identity, Recipient
from dbops.errors import Failed, Refused
from dbops.repair.manifest import Repair
from dbops.repair.manifest_values import refusal
from dbops.repair.parameter import Argument, Parameter, ParameterType
from dbops.repair.sealed_lines import opened_lines, sealed_lines
from dbops.repair.table import Row
from dbops.repair.value_text import decode_value, row_text
from dbops.repair.values import is_value, value_rule
from dbops.review.work import PAYLOAD, SCRIPT
from dbops.sql.statement import RowColumn, Statement

VERSION: Final = "payload/v1"

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_COLUMN: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class RowSet:
    """Rows with the names of their columns, by which a script names them.

    The rows of an opened payload can be read again and again; those of one that is to be sealed
    are read once.
    """

    columns: tuple[str, ...]
    rows: Iterable[Row] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Payload:
    """The sealed values: texts of parameters (None is NULL), and sets of rows."""

    arguments: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    rows: Mapping[str, RowSet] = field(default_factory=dict)


def seal_payload(payload: Payload, recipients: Sequence[Recipient], sink: BlockSink) -> None:
    """Afterwards `sink` holds the whole payload, sealed; what is left by an error is discarded.

    Rows are read as they are written. Raises ValueError for names that no script can write, and
    for a row that has not a value for each column.
    """
    sets = {name: list(each.columns) for name, each in payload.rows.items()}
    if not _is_header(payload.arguments, sets):
        raise ValueError("a name of the payload is none that a script can write")
    counts = {}
    with sealed_lines(sink, recipients) as write:
        write(_json({"dbops": VERSION, "arguments": dict(payload.arguments), "sets": sets}))
        for name, each in payload.rows.items():
            write(_json({"rows": name}))
            counts[name] = 0
            for row in each.rows:
                if len(row) != len(each.columns):
                    raise ValueError("a row of the payload has not a value for each column")
                write(row_text(row))
                counts[name] += 1
        write(_json({"end": counts}))


def open_payload(data: bytes, identities: Sequence[Identity]) -> Payload:
    """Return what the sealed file holds, all of it checked.

    Rows stay sealed in `data` and are opened each time that they are read: memory holds one.
    Raises NoIdentity, and Failed `payload-damaged`.
    """
    sealed = _Sealed(data, tuple(identities))
    arguments, sets = sealed.check()
    rows = {
        name: RowSet(tuple(columns), _SealedRows(sealed, name)) for name, columns in sets.items()
    }
    return Payload(arguments, rows)


def arguments_of(repair: Repair, payload: Payload | None) -> dict[str, Argument]:
    """Return the values to bind, by the names of their parameters.

    Identifiers are not among them, nor sets of rows, but that each of these is there is checked.
    Raises Refused `repair-param` with the parameter's name and line, never its value.
    """
    sealed = Payload() if payload is None else payload
    arguments = {}
    for parameter in repair.parameters.values():
        if parameter.type is ParameterType.ROWS:
            _check_given(repair, parameter, sealed.rows, opened=payload is not None)
        elif not parameter.type.is_identifier:
            if parameter.sealed:
                _check_given(repair, parameter, sealed.arguments, opened=payload is not None)
            text = sealed.arguments[parameter.name] if parameter.sealed else parameter.value
            _check_type(repair, parameter, text)
            arguments[parameter.name] = Argument(parameter.type, text)
    _check_declared(repair, sealed)
    return arguments


def check_columns(repair: Repair, script: Iterable[Statement], payload: Payload | None) -> None:
    """Check that the payload has each column that the script names; Refused `repair-param`."""
    for statement in script:
        for piece in statement.pieces:
            if not isinstance(piece, RowColumn):
                continue
            found = payload.rows.get(piece.name) if payload is not None else None
            if found is None or piece.column not in found.columns:
                what = f"the rows of {piece.name} have no column {piece.column}"
                hint = f"{PAYLOAD} has the columns {', '.join(found.columns) if found else 'none'}"
                source = f"repairs/{repair.id}/{SCRIPT}"
                raise refusal("param", source, statement.line, what, hint)


def _check_given(
    repair: Repair, parameter: Parameter, given: Collection[str], *, opened: bool
) -> None:
    if parameter.name in given:
        return
    what = f"the parameter {parameter.name} is sealed, and has no value in {PAYLOAD}"
    hint = "seal the payload again, with a value for it"
    if not opened:
        what = f"the parameter {parameter.name} is sealed, and {PAYLOAD} is not open"
        hint = f"name an identity that opens {PAYLOAD}: --identity FILE"
    raise _param(repair, parameter.line, what, hint)


def _check_type(repair: Repair, parameter: Parameter, text: str | None) -> None:
    if text is None and parameter.sealed:
        return
    if text is None or not is_value(parameter.type, text):
        what = f"the parameter {parameter.name} has no {parameter.type}"
        raise _param(repair, parameter.line, what, f"allowed: {value_rule(parameter.type)}")


def _check_declared(repair: Repair, payload: Payload) -> None:
    sealed = {each.name: each for each in repair.parameters.values() if each.sealed}
    for name in (*payload.arguments, *payload.rows):
        parameter = sealed.get(name)
        is_rows = parameter is not None and parameter.type is ParameterType.ROWS
        if parameter is None or is_rows is not (name in payload.rows):
            what = f"{PAYLOAD} has values for {name}, which is not sealed or of another type"
            line = 1 if parameter is None else parameter.line
            raise _param(repair, line, what, "declare it so, or seal the payload again")


def _param(repair: Repair, line: int, what: str, hint: str) -> Refused:
    return refusal("param", f"repairs/{repair.id}/repair.yml", line, what, hint)


@dataclass(frozen=True, slots=True, repr=False)
class _Sealed:
    """The file and what opens it."""

    data: bytes
    identities: tuple[Identity, ...]

    def check(self) -> tuple[dict[str, str | None], dict[str, list[str]]]:
        """Return the first line's arguments and sets; all that follows was read and is right."""
        lines = self._lines()
        arguments, sets = _header(next(lines, b""))
        for _ in _rows(lines, sets):
            pass
        return arguments, sets

    def rows(self, name: str) -> Iterator[Row]:
        lines = self._lines()
        _, sets = _header(next(lines, b""))
        return (row for of, row in _rows(lines, sets) if of == name)

    def _lines(self) -> Iterator[bytes]:
        return opened_lines(io.BytesIO(self.data), self.identities, PAYLOAD, _damage)


@dataclass(frozen=True, slots=True, repr=False)
class _SealedRows:
    """The rows of one set, opened anew each time."""

    sealed: _Sealed
    name: str

    def __iter__(self) -> Iterator[Row]:
        return self.sealed.rows(self.name)


def _rows(lines: Iterator[bytes], sets: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Row]]:
    """Yield each row with the name of its set; ends only after the right last line."""
    counts: dict[str, int] = {}
    name = ""
    for line in lines:
        match _parsed(line):
            case list() as values if name and len(values) == len(sets[name]):
                counts[name] += 1
                yield name, _row(values)
            case {"rows": str(begun), **others} if begun in sets and not others:
                if begun in counts:
                    raise _damage("a set of rows begins twice")
                name = begun
                counts[name] = 0
            case {"end": end, **others} if not others:
                if end != counts or counts.keys() != sets.keys():
                    raise _damage("its last line counts other rows")
                if next(lines, None) is not None:
                    raise _damage("a line follows its last")
                return
            case _:
                raise _damage("a line has no such form")
    raise _damage("its last line is missing")


def _row(values: Sequence[object]) -> Row:
    try:
        return tuple(map(decode_value, values))
    except ValueError:
        raise _damage("a value has no such form") from None


def _header(line: bytes) -> tuple[dict[str, str | None], dict[str, list[str]]]:
    match _parsed(line):
        case {
            "dbops": str(version),
            "arguments": dict() as arguments,
            "sets": dict() as sets,
            **others,
        } if version == VERSION and not others:
            if _is_header(arguments, sets):
                return arguments, sets
    raise _damage("its first line has no such form")


def _is_header(arguments: Mapping[str, object], sets: Mapping[str, object]) -> bool:
    names = [*arguments, *sets]
    return (
        all(map(_NAME.fullmatch, names))
        and len(set(names)) == len(names)
        and all(text is None or isinstance(text, str) for text in arguments.values())
        and all(map(_are_columns, sets.values()))
    )


def _are_columns(found: object) -> bool:
    return (
        isinstance(found, list)
        and bool(found)
        and all(isinstance(name, str) and _COLUMN.fullmatch(name) for name in found)
        and len(set(found)) == len(found)
    )


def _parsed(line: bytes) -> object:
    try:
        parsed: object = json.loads(line)
    except (ValueError, RecursionError):
        raise _damage("a line is no json") from None
    return parsed


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _damage(reason: str) -> Failed:
    return Failed(
        "payload-damaged",
        f"{PAYLOAD} is damaged: {reason}",
        hint=f"take it from git again, or seal it anew: git log -- {PAYLOAD}",
    )
