"""Put the values of parameters into those parts of a playbook that a manifest holds plainly; pure.

A manifest reads most placeholders itself. It wants plain columns in `show` and `undo.volatile`, and
a watch that expects no update names no columns. `limits: {rows: expected}` stands for the sum of
what the watches expect, at least 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from dbops.repair.manifest_writing import fields
from dbops.repair.parameter import Parameter, ParameterType
from dbops.review.section import COUNT
from dbops.review.yaml_text import Fields, Items, Located, Scalar

EXPECTED: Final = "expected"
_NUMBER: Final = re.compile(r":([a-z][a-z0-9_]*)")
_IDENTIFIER: Final = re.compile(r':"([a-z][a-z0-9_]*)"')


def parameters_tree(values: Mapping[str, Parameter]) -> Fields:
    """Return the section `params` with the values in place, none for a sealed one."""
    return fields({name: _parameter(each) for name, each in values.items()})


def filled(sections: Mapping[str, Located], values: Mapping[str, Parameter]) -> dict[str, Located]:
    """Return the sections with plain numbers and columns where a manifest wants them."""
    found = dict(sections)
    if "show" in found:
        found["show"] = _columns(found["show"], values)
    if "undo" in found:
        found["undo"] = _with(found["undo"], "volatile", lambda node: _columns(node, values))
    watches = found.get("watch")
    if isinstance(watches, Items):
        found["watch"] = Items(0, tuple(_watch(each, values) for each in watches.items))
        if "limits" in found:
            most = max(1, sum(sum(_expected(each, values).values()) for each in watches.items))
            found["limits"] = _with(found["limits"], "rows", lambda node: _limit(node, most))
    return found


def _parameter(parameter: Parameter) -> Fields:
    found: dict[str, Located] = {"type": Scalar(0, parameter.type.value, quoted=False)}
    if parameter.table is not None:
        found["table"] = Scalar(0, parameter.table, quoted=False)
    if parameter.sealed:
        found["sealed"] = Scalar(0, "true", quoted=False)
    elif parameter.value is not None:
        # Quotes keep a text such as null, or an empty one, a text.
        quoted = parameter.type is ParameterType.TEXT
        found["value"] = Scalar(0, parameter.value, quoted)
    return fields(found)


def _with(node: Located, key: str, change: Callable[[Located], Located]) -> Located:
    if not isinstance(node, Fields) or key not in node.fields:
        return node
    return fields({**node.fields, key: change(node.fields[key])})


def _columns(node: Located, values: Mapping[str, Parameter]) -> Located:
    if not isinstance(node, Items):
        return node
    return Items(0, tuple(_plain(each, _IDENTIFIER, values) for each in node.items))


def _limit(node: Located, most: int) -> Located:
    computed = isinstance(node, Scalar) and node.text == EXPECTED
    return Scalar(0, str(most), quoted=False) if computed else node


def _plain(node: Located, form: re.Pattern[str], values: Mapping[str, Parameter]) -> Located:
    """The value of the parameter that a text names; the text itself where it names none."""
    named = form.fullmatch(node.text) if isinstance(node, Scalar) else None
    value = values[named[1]].value if named and named[1] in values else None
    return node if value is None else Scalar(0, value, quoted=False)


def _watch(node: Located, values: Mapping[str, Parameter]) -> Located:
    if isinstance(node, Fields) and _expected(node, values).get("update") == 0:
        return fields({key: each for key, each in node.fields.items() if key != "may_change"})
    return node


def _expected(watch: Located, values: Mapping[str, Parameter]) -> dict[str, int]:
    """The counts that a watch expects, by operation; what is no number is left to the manifest."""
    expect = watch.fields.get("expect") if isinstance(watch, Fields) else None
    if not isinstance(expect, Fields):
        return {}
    plain = {key: _plain(each, _NUMBER, values) for key, each in expect.fields.items()}
    return {
        key: int(each.text)
        for key, each in plain.items()
        if isinstance(each, Scalar) and COUNT.is_allowed(each.text)
    }
