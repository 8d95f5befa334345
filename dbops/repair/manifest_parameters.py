"""The parameters of a repair's manifest, and the places of it that may name one; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from dbops.errors import Refused
from dbops.repair.manifest_values import COLUMN, refusal
from dbops.repair.parameter import Parameter, ParameterType
from dbops.repair.table import TABLE_RULE, TableName
from dbops.repair.values import is_value, value_rule
from dbops.review.section import COUNT, COUNT_RULE, Form, Section
from dbops.review.yaml_text import Fields, Items, Located, Scalar
from dbops.sql.tokens import NAME_RULE
from dbops.wording import suggestion

BATCH_PLACES: Final = ("batch_first", "batch_last")

_NAME: Final = "[a-z][a-z0-9_]{0,62}"
_NUMBER: Final = re.compile(rf":({_NAME})")
_IDENTIFIER: Final = re.compile(rf':"({_NAME})"')
_NULL: Final = frozenset({"~", "null", "Null", "NULL"})
TABLE_PARAMETER: Final = Form.of(_NAME, "the name of a table parameter")
PARAMETER_TYPE: Final = Form(
    ", ".join(kind.value for kind in ParameterType),
    lambda text: text in {kind.value for kind in ParameterType},
)
_COUNT: Final = Form(
    f"{COUNT_RULE}, or :name of an integer parameter",
    lambda text: COUNT.is_allowed(text) or _NUMBER.fullmatch(text) is not None,
)
_TABLE: Final = Form(
    f'{TABLE_RULE}, or :"name" of a table parameter',
    lambda text: _IDENTIFIER.fullmatch(text) is not None or is_value(ParameterType.TABLE, text),
)
_COLUMN: Final = Form(
    f"{COLUMN.rule}, or ':\"name\"' of a column parameter",
    lambda text: _IDENTIFIER.fullmatch(text) is not None or COLUMN.is_allowed(text),
)


def parse_parameters(section: Section) -> dict[str, Parameter]:
    """Return what `params` declares, in its order; raises Refused `repair-…` with the line."""
    if not section.has("params"):
        return {}
    params = section.section("params")
    found = {name: _parameter(params, name) for name in params.tree.fields}
    for parameter in found.values():
        _check_table(params, parameter, found)
    return found


def count_of(section: Section, key: str, parameters: Mapping[str, Parameter]) -> int:
    """Return the number of rows that a key gives, by itself or by an integer parameter."""
    text = section.text(key, _COUNT)
    named = _NUMBER.fullmatch(text)
    if named is None:
        return int(text)
    parameter = declared(named[1], section.source, section.line(key), parameters)
    value = parameter.value
    if parameter.type is not ParameterType.INTEGER or value is None:
        hint = "reviewers read the number: declare type integer and a value, not sealed"
        what = f"the parameter {named[1]} is no integer that can be read here"
        raise section.refuse("placeholder", key, what, hint)
    if not COUNT.is_allowed(value):
        what = f"the value of the parameter {named[1]} is no number of rows"
        raise section.refuse("param", key, what, f"allowed: {COUNT_RULE}")
    return int(value)


def table_of(section: Section, key: str, parameters: Mapping[str, Parameter]) -> TableName:
    """Return the table that a key names, by itself or by a table parameter."""
    text = section.text(key, _TABLE)
    named = _IDENTIFIER.fullmatch(text)
    if named is not None:
        line = section.line(key)
        text = _identifier(section.source, line, named[1], ParameterType.TABLE, parameters)
    return TableName.parse(text)


def columns_of(
    section: Section, key: str, table: TableName, parameters: Mapping[str, Parameter]
) -> tuple[str, ...]:
    """Return the columns of `table` that a list names, by themselves or by column parameters."""
    found = []
    for text in section.texts(key, _COLUMN):
        named = _IDENTIFIER.fullmatch(text)
        if named is None:
            found.append(text)
            continue
        line = section.line(key)
        found.append(_identifier(section.source, line, named[1], ParameterType.COLUMN, parameters))
        if table_behind(parameters[named[1]], parameters) != table:
            what = f"the parameter {named[1]} is a column of another table"
            raise section.refuse("placeholder", key, what, f"name a column of {table}")
    if len(set(found)) < len(found):
        raise section.refuse("twice", key, "a column stands there twice", "write each once")
    return tuple(found)


def declared(name: str, source: str, line: int, parameters: Mapping[str, Parameter]) -> Parameter:
    """Return the parameter of a name that is used at a line; raises Refused `repair-undeclared`."""
    if name not in parameters:
        hint = suggestion(name, parameters, label="declared under params")
        raise refusal("undeclared", source, line, f"no parameter {name} is declared", hint)
    return parameters[name]


def table_behind(parameter: Parameter, parameters: Mapping[str, Parameter]) -> TableName | None:
    """Return the table that a table or column parameter stands for."""
    owner = parameters.get(parameter.table or parameter.name)
    return None if owner is None or owner.value is None else TableName.parse(owner.value)


def mentioned(node: Located) -> Iterator[str]:
    """Yield the parameters that whole texts below `node` name, as `:name` or `:"name"`."""
    match node:
        case Fields():
            for each in node.fields.values():
                yield from mentioned(each)
        case Items():
            for each in node.items:
                yield from mentioned(each)
        case Scalar():
            found = _NUMBER.fullmatch(node.text) or _IDENTIFIER.fullmatch(node.text)
            if found is not None:
                yield found[1]


def _parameter(params: Section, name: str) -> Parameter:
    line = params.line(name)
    if re.fullmatch(_NAME, name) is None or name in BATCH_PLACES:
        hint = f"allowed: {NAME_RULE}; {' and '.join(BATCH_PLACES)} are the bounds of a batch"
        raise refusal("name", params.source, line, "that name cannot be a parameter's", hint)
    given = params.section(name)
    given.only("type", "value", "sealed", "table")
    kind = ParameterType(given.text("type", PARAMETER_TYPE))
    sealed = given.flag("sealed")
    _check_place(given, name, kind, sealed=sealed)
    value = None if sealed else _value(given, name, kind)
    table = given.text("table", TABLE_PARAMETER) if kind is ParameterType.COLUMN else None
    return Parameter(name, kind, value, sealed, table, line)


def _check_place(given: Section, name: str, kind: ParameterType, *, sealed: bool) -> None:
    """Refuse a value that cannot stand where it is said to stand."""
    key = "sealed" if given.has("sealed") else "type"
    if kind is ParameterType.ROWS and not sealed:
        raise _place(given, key, f"{name} is a set of rows", "write sealed: true")
    if kind.is_identifier and sealed:
        raise _place(
            given, key, f"{name} names what is written", "reviewers read it: write a value"
        )
    if sealed and given.has("value"):
        raise _place(given, "value", f"{name} is sealed", "its value stands in the payload only")
    if given.has("table") and kind is not ParameterType.COLUMN:
        raise _place(given, "table", f"{name} is no column", "only a column has a table")


def _place(given: Section, key: str, what: str, hint: str) -> Refused:
    return refusal("param", given.source, given.line(key), f"the parameter {what}", hint)


def _value(given: Section, name: str, kind: ParameterType) -> str:
    """Return the value; `null` without quotes is no text, because people mean NULL by it."""
    rule = value_rule(kind)
    node = given.tree.fields.get("value")
    if node is None:
        raise _place(given, "value", f"{name} has no value", f"allowed: {rule}")
    bare = isinstance(node, Scalar) and not node.quoted and node.text in {"", *_NULL}
    if not isinstance(node, Scalar) or bare or not is_value(kind, node.text):
        hint = f"allowed: {rule}" + ("; put a text in quotes" if bare else "")
        raise refusal("param", given.source, node.line, f"the parameter {name} has no {kind}", hint)
    return node.text


def _check_table(
    params: Section, parameter: Parameter, parameters: Mapping[str, Parameter]
) -> None:
    if parameter.table is None:
        return
    owner = declared(parameter.table, params.source, parameter.line, parameters)
    if owner.type is not ParameterType.TABLE:
        what = f"the parameter {owner.name} is no table"
        hint = "a column's table is the name of a parameter of type table"
        raise refusal("placeholder", params.source, parameter.line, what, hint)


def _identifier(
    source: str,
    line: int,
    name: str,
    kind: ParameterType,
    parameters: Mapping[str, Parameter],
) -> str:
    parameter = declared(name, source, line, parameters)
    if parameter.type is not kind or parameter.value is None:
        what = f"the parameter {name} is no {kind}"
        raise refusal("placeholder", source, line, what, f"name a parameter of type {kind}")
    return parameter.value
