"""What is wrong with a `dbops.toml`: pydantic's findings as one error and one hint; pure.

The first fault in the file's order is told in full, the others are counted. Values are shown,
for they are configuration, but nothing that stands under `password` ever is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from dbops.errors import UsageFault
from dbops.estate import document
from dbops.estate.fields import BAD_NAME, REFUSAL
from dbops.estate.names import NAME_RULE
from dbops.estate.values import Engine
from dbops.wording import key_path, listed, nearest, quoted, suggestion

Where = tuple[str | int, ...]

_FIXED: Mapping[Where, type[document.Table]] = {
    (): document.Document,
    ("estate",): document.EstateTable,
    ("host",): document.HostTable,
    ("scratch",): document.ScratchTable,
    ("scratch", "postgresql"): document.PostgresqlScratchTable,
    ("audit",): document.AuditTable,
    ("review",): document.ReviewTable,
    ("repair",): document.RepairTable,
    ("calendar",): document.CalendarTable,
}
_NAMED: Mapping[str | int, type[document.Table]] = {
    "repositories": document.RepositoryTable,
    "policies": document.PolicyTable,
    "systems": document.SystemTable,
    "clocks": document.ClockTable,
}
_LOGINS = frozenset({"repair", "admin"})
_BY_ENGINE: Mapping[str | int, Mapping[object, type[document.Table]]] = {
    "databases": {
        Engine.SQLITE: document.SqliteDatabaseTable,
        Engine.POSTGRESQL: document.PostgresqlDatabaseTable,
    },
    "targets": {
        Engine.SQLITE: document.SqliteTable,
        Engine.POSTGRESQL: document.PostgresqlTable,
    },
}
_LATER_ENGINES = frozenset({"oracle", "sqlserver", "mysql", "mariadb"})
_NOT_A_TABLE = frozenset({"model_type", "model_attributes_type", "dict_type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong at one place; `meant` is the key that a mistyped one stands for."""

    where: Where
    code: str
    message: str
    hint: str
    meant: Where | None = None


def usage_fault(file: str, raw: Mapping[str, object], faults: Sequence[Fault]) -> UsageFault:
    """Return the error for that of the faults which is first in the file, counting the others."""
    first = min(faults, key=lambda fault: _position(raw, fault.where))
    more = len(faults) - 1
    counted = f", and {more} more" if more else ""
    message = f"{file}: {key_path(first.where)}: {first.message}{counted}"
    return UsageFault(first.code, message, hint=first.hint)


def faults_of(raw: Mapping[str, object], error: ValidationError) -> list[Fault]:
    """Return the faults that validation found in the file `raw`."""
    found = [
        fault
        for details in error.errors(include_url=False)
        for fault in _faults_of_one(raw, details)
    ]
    # A mistyped key is not also a missing one.
    meant = {fault.meant for fault in found}
    return [f for f in found if f.code != "estate-missing-key" or f.where not in meant]


def _faults_of_one(raw: Mapping[str, object], details: ErrorDetails) -> Iterator[Fault]:
    where, kind = _own_path(details["loc"]), details["type"]
    context = details.get("ctx", {})
    if kind == REFUSAL:
        yield Fault(
            where=where, code=context["code"], message=context["message"], hint=context["hint"]
        )
    elif kind == "extra_forbidden":
        yield _unknown_key(raw, where)
    elif kind == "missing":
        yield _missing_key(raw, where)
    elif kind == "union_tag_not_found":
        yield from _without_engine(raw, where)
    elif kind == "union_tag_invalid":
        yield _bad_engine(raw, where)
    elif kind == BAD_NAME and where[-1] == "[key]":
        yield _bad_name(where[:-1])
    else:
        yield _bad_value(raw, where, is_table=kind in _NOT_A_TABLE)


def _own_path(location: Where) -> Where:
    """Return the path as the file has it: pydantic adds the engine below a tagged union."""
    if len(location) > 2 and location[0] in _BY_ENGINE and location[2] != "[key]":
        return (*location[:2], *location[3:])
    return location


def _unknown_key(raw: Mapping[str, object], where: Where) -> Fault:
    key, known = str(where[-1]), _fields_at(raw, where[:-1])
    near = nearest(key, known)
    return Fault(
        where=where,
        code="estate-unknown-key",
        message="unknown key",
        hint=suggestion(key, known, label="allowed"),
        meant=None if near is None else (*where[:-1], near),
    )


def _missing_key(raw: Mapping[str, object], where: Where) -> Fault:
    table = where[:-1]
    if table:
        rule = _rule_at(raw, where)
        message, hint = "missing key", f"add {where[-1]} to [{key_path(table)}]: {rule}"
    else:
        message, hint = "missing table", f"add {_table_with_keys(raw, where)}"
    return Fault(where=where, code="estate-missing-key", message=message, hint=hint)


def _without_engine(raw: Mapping[str, object], where: Where) -> Iterator[Fault]:
    """Yield the keys that no engine knows, and the missing engine.

    Without an engine pydantic looks no further, though `engin` is the likeliest mistake.
    """
    table = _node_at(raw, where)
    known = _fields_at(raw, where)
    for key in table if isinstance(table, dict) else ():
        if key not in known:
            yield _unknown_key(raw, (*where, key))
    yield _missing_key(raw, (*where, "engine"))


def _bad_engine(raw: Mapping[str, object], where: Where) -> Fault:
    where = (*where, "engine")
    engine = _node_at(raw, where)
    if not isinstance(engine, str):
        return _bad_value(raw, where, is_table=False)
    if engine in _LATER_ENGINES:
        return Fault(
            where=where,
            code="engine-not-supported",
            message=f"engine {quoted(engine)} is not supported by this version",
            hint=f"supported: {listed(Engine)}",
        )
    return Fault(
        where=where,
        code="estate-bad-value",
        message=f"unknown engine {quoted(engine)}",
        hint=suggestion(engine, Engine, label="supported"),
    )


def _bad_name(where: Where) -> Fault:
    return Fault(
        where=where,
        code="estate-bad-name",
        message="not allowed as a name",
        hint=f"allowed: {NAME_RULE}",
    )


def _bad_value(raw: Mapping[str, object], where: Where, *, is_table: bool) -> Fault:
    rule = _rule_at(raw, where)
    if is_table and rule is None:
        message, hint = "must be a table", f"write {_table_with_keys(raw, where)}"
    else:
        shown = "value" if "password" in where else _shown(_node_at(raw, where))
        message, hint = f"{shown} is not allowed", f"allowed: {rule}"
    return Fault(where=where, code="estate-bad-value", message=message, hint=hint)


def _table_with_keys(raw: Mapping[str, object], where: Where) -> str:
    fields = _fields_at(raw, where)
    if not fields:
        return f"[{key_path(where)}.NAME]"
    required = [key for key, field in fields.items() if field.is_required()]
    return f"[{key_path(where)}] with {listed(required or fields)}"


def _fields_at(raw: Mapping[str, object], where: Where) -> dict[str, FieldInfo]:
    """Return the keys that are allowed in the table at `where`; none if it holds named tables."""
    models = list(_models_at(raw, where))
    return {key: field for model in models for key, field in model.model_fields.items()}


def _models_at(raw: Mapping[str, object], where: Where) -> Iterator[type[document.Table]]:
    if where in _FIXED:
        yield _FIXED[where]
    elif where[-1] == "password":
        yield document.SecretTable
    elif len(where) == 2 and where[0] in _NAMED:
        yield _NAMED[where[0]]
    elif len(where) == 3 and where[:2] == ("audit", "anchors"):
        yield document.AnchorTable
    elif len(where) == 3 and where[0] == "databases" and where[2] in _LOGINS:
        yield document.LoginTable
    elif len(where) == 2 and where[0] in _BY_ENGINE:
        models = _BY_ENGINE[where[0]]
        engine = _node_at(raw, (*where, "engine"))
        known = isinstance(engine, str) and engine in models
        yield from [models[engine]] if known else models.values()


def _rule_at(raw: Mapping[str, object], where: Where) -> str | None:
    """Return what is allowed at `where`, which may be an item of an array; None for a table."""
    keys = where[:-1] if isinstance(where[-1], int) else where
    field = _fields_at(raw, keys[:-1]).get(str(keys[-1]))
    return None if field is None else field.description


def _node_at(raw: object, where: Where) -> object:
    for step in where:
        if isinstance(raw, dict):
            raw = raw.get(step)
        elif isinstance(raw, list) and isinstance(step, int):
            raw = raw[step]
        else:
            return None
    return raw


def _position(raw: object, where: Where) -> tuple[int, ...]:
    """Return a sort key: where in the file the path stands; a missing key is its table's last."""
    position = []
    for step in where:
        if isinstance(raw, dict):
            keys = list(raw)
            position.append(keys.index(step) if step in raw else len(keys))
            raw = raw.get(step)
        elif isinstance(raw, list) and isinstance(step, int):
            position.append(step)
            raw = raw[step]
    return tuple(position)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "a table"
    return "a date or time"
