"""The keys that a manifest's grammar takes, and those that a page of the reference names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", re.MULTILINE)


def section_of(page: str, title: str) -> str:
    """What stands on the page below a heading."""
    (section,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL
    )
    return str(section)


def keys_of(*modules: ModuleType) -> dict[tuple[str, str], set[str]]:
    """The keys that each function allows in each mapping, as its calls of `only` say."""
    found: dict[tuple[str, str], set[str]] = {}
    for module in modules:
        tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for mapping, call in _calls_of_only(function):
                    found[function.name, mapping] = set(_words(call, vars(module)))
    return found


def _calls_of_only(function: ast.FunctionDef) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=mapping), attr="only")):
                yield mapping, node


def _words(call: ast.Call, names: dict[str, object]) -> Iterator[str]:
    for argument in call.args:
        if isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Name):
            several = names[argument.value.id]
            assert isinstance(several, tuple)
            yield from several
        else:
            assert isinstance(argument, ast.Constant)
            yield str(argument.value)
