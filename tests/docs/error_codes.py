"""Every error code in the source, found in its syntax tree.

A code is the first argument of one of the error classes. Where that argument is, or is made from, a
parameter of the function around it, the callers of that function are looked for under its name,
and so on: a private one in its own file, a public one in its own room. What no caller tells stays
open and makes a family, written with `…` in its place. A judgement's reasons and a ledger's
findings carry codes as well, since the first of the reasons becomes the error's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

OPEN = "…"

_CLASSES = (
    "Failed",
    "Partly",
    "HalfDone",
    "UsageFault",
    "Finding",
    "Refused",
    "NotFound",
    "Unreachable",
    "TryAgain",
    "NoIdentity",
    "Interrupted",
    "NotAsDeclared",
    "LockTimeout",
    "CommitUnknown",
)
# What carries a code to where it is raised: where it is used, and the code's position.
_CARRIERS = {
    "Fault": ("estate", 1),
    "refuse": ("estate", 0),
    "_Fault": ("engines/postgresql", 1),
    # What the doctor finds has a code as an error has; engines make such findings too.
    "ok": ("", 0),
    "warning": ("", 0),
    "problem": ("", 0),
    # Why work may not run: the first reason's code becomes that of the error.
    "Reason": ("", 0),
    # Why a transaction is rolled back: so does the first breach's.
    "Breach": ("repair", 0),
    # What a verification of the ledger finds.
    "LedgerFinding": ("", 1),
}
# Generators of these yield a code and its sentence, out of which a caller makes a `Reason`.
_PAIRS = ("Iterator[_Ground]",)
# Public functions that other rooms call too.
_EVERYWHERE = ("script_refusal",)
# A manifest's values are refused with the kind of work in front: by the reader of values for each
# kind, and by the rooms of these kinds.
_VALUES = ("review/section.py", ("_fault", "refuse"))
_KINDS = ("repair", "change")
_OF_KIND = ("refuse", "refusal")
# Enumerations whose values are codes.
_ENUMERATIONS = ("FaultKind",)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class _Parameter:
    """A parameter of a function, whose value is for the callers to say."""

    name: str
    position: int
    default: str = OPEN


Template = tuple[str | _Parameter, ...]


@dataclass(frozen=True)
class _Sink:
    """A function whose arguments make a code, and where it is called: a file, a room, or all.

    A call with fewer than `least` arguments is one of another function of that name.
    """

    name: str
    place: str
    template: Template
    least: int = 0


@dataclass(frozen=True)
class _Call:
    """A call by its plain name, in a file and perhaps in a function."""

    name: str
    node: ast.Call
    file: str
    inside: Function | None


def find_codes(package: Path) -> dict[str, set[str]]:
    """Every code of the package, with the files that use it; a family has `…` in its name.

    A code that somebody else's error brings along (`fault.code`) is no code of its own.
    """
    trees = {
        path.relative_to(package): ast.parse(path.read_text("utf-8"))
        for path in sorted(package.rglob("*.py"))
    }
    calls = [call for file, tree in trees.items() for call in _calls(tree, file)]
    named = _by_name(calls)
    found: dict[str, set[str]] = {}
    for file, tree in trees.items():
        for code in (*_yielded(tree), *_enumerated(tree)):
            found.setdefault(code, set()).add(str(file))
    waiting = [_Sink(name, "", (_Parameter("code", 0),)) for name in _CLASSES]
    for name, (place, position) in _CARRIERS.items():
        waiting.append(_Sink(name, place, (_Parameter("code", position),)))
    seen = set(waiting)
    while waiting:
        sink = waiting.pop()
        for call in named.get(sink.name, ()):
            if not _is_of(call, sink):
                continue
            for filled in _fill(sink.template, call):
                further = _sink(filled, call)
                if further is None:
                    found.setdefault("".join(map(str, filled)), set()).add(call.file)
                elif further not in seen:
                    seen.add(further)
                    waiting.append(further)
    known = {code: files for code, files in found.items() if code != OPEN}
    return _of_manifests(calls, {c: files for c, files in known.items() if files != {_VALUES[0]}})


def _by_name(calls: Iterable[_Call]) -> dict[str, list[_Call]]:
    named: dict[str, list[_Call]] = {}
    for call in calls:
        named.setdefault(call.name, []).append(call)
    return named


def _of_manifests(calls: Iterable[_Call], known: dict[str, set[str]]) -> dict[str, set[str]]:
    """The codes, with those that have the kind of a piece of work in front."""
    found = dict(known)
    for call in calls:
        room = call.file.partition("/")[0]
        of_all = call.file == _VALUES[0] and call.name in _VALUES[1]
        kinds = _KINDS if of_all else (room,) if room in _KINDS and call.name in _OF_KIND else ()
        words = [each.value for each in call.node.args if isinstance(each, ast.Constant)]
        for kind in kinds:
            for word in words[:1]:
                found.setdefault(f"{kind}-{word!s}", set()).add(call.file)
    return found


def _is_of(call: _Call, sink: _Sink) -> bool:
    given = len(call.node.args) + len(call.node.keywords)
    return call.file.startswith(sink.place) and given >= sink.least


def _calls(tree: ast.Module, file: Path) -> Iterator[_Call]:
    def visit(node: ast.AST, inside: Function | None) -> Iterator[_Call]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield _Call(node.func.id, node, str(file), inside)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield _Call(node.func.attr, node, str(file), inside)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(tree, None)


def _yielded(tree: ast.Module) -> Iterator[str]:
    """The codes of pairs that a generator of such pairs yields."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.returns is None:
            continue
        if ast.unparse(function.returns) not in _PAIRS:
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
                for filled in _evaluate(node.value.elts[0], None):
                    yield "".join(map(str, filled))


def _enumerated(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in _ENUMERATIONS:
            values = [item.value for item in node.body if isinstance(item, ast.Assign)]
            yield from (str(each.value) for each in values if isinstance(each, ast.Constant))


def _sink(filled: Template, call: _Call) -> _Sink | None:
    """The function whose callers decide; None where nothing is left to decide."""
    if call.inside is None or not any(isinstance(part, _Parameter) for part in filled):
        return None
    name = call.inside.name
    place = call.file if name.startswith("_") else call.file.partition("/")[0]
    place = "" if name in _EVERYWHERE else place
    return _Sink(name, place, filled, _least(call.inside))


def _least(function: Function) -> int:
    """How many arguments each call of it gives at least."""
    names = [item.arg for item in (*function.args.posonlyargs, *function.args.args)]
    own = len(names) - len(function.args.defaults) - (names[:1] in (["self"], ["cls"]))
    return own + sum(default is None for default in function.args.kw_defaults)


def _fill(template: Template, call: _Call) -> Iterator[Template]:
    """The template with what this call passes; several, where it chooses among values."""
    choices = [[(part,)] if isinstance(part, str) else _passed(part, call) for part in template]
    for chosen in product(*choices):
        yield tuple(part for parts in chosen for part in parts)


def _passed(parameter: _Parameter, call: _Call) -> list[Template]:
    arguments = call.node.args
    if len(arguments) > parameter.position:
        return list(_evaluate(arguments[parameter.position], call.inside))
    for keyword in call.node.keywords:
        if keyword.arg == parameter.name:
            return list(_evaluate(keyword.value, call.inside))
    return [(parameter.default,)]


def _evaluate(value: ast.expr, inside: Function | None) -> Iterator[Template]:
    """What the expression can be, in terms of the parameters of the function around it."""
    if isinstance(value, ast.Constant):
        yield (str(value.value),)
    elif isinstance(value, ast.IfExp):
        yield from _evaluate(value.body, inside)
        yield from _evaluate(value.orelse, inside)
    elif isinstance(value, ast.JoinedStr):
        parts = [
            list(_evaluate(part.value if isinstance(part, ast.FormattedValue) else part, inside))
            for part in value.values
        ]
        for chosen in product(*parts):
            yield tuple(part for template in chosen for part in template)
    elif isinstance(value, ast.Name) and (found := _parameter(value.id, inside)) is not None:
        yield (found,)
    elif isinstance(value, ast.Attribute) and value.attr.isupper():
        yield (value.attr.lower().replace("_", "-"),)  # a member of an enumeration of words
    else:
        yield (OPEN,)


def _parameter(name: str, inside: Function | None) -> _Parameter | None:
    if inside is None:
        return None
    names = [item.arg for item in (*inside.args.posonlyargs, *inside.args.args)]
    # Defaults belong to the last of the arguments.
    defaults = dict(zip(reversed(names), reversed(inside.args.defaults), strict=False))
    if names[:1] in (["self"], ["cls"]):
        names = names[1:]
    if name not in names:
        return None
    default = defaults.get(name)
    told = str(default.value) if isinstance(default, ast.Constant) and default.value else OPEN
    return _Parameter(name, names.index(name), told)
