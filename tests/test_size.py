"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import dbops

PACKAGE = Path(dbops.__file__).parent
TESTS = Path(__file__).parent
LINES = {PACKAGE: 400, TESTS: 450}
LONGEST = 55
LONG = 35
LONG_SHARE = 0.03


@pytest.mark.parametrize("root", LINES, ids=lambda root: root.name)
def test_no_file_is_too_long(root: Path) -> None:
    """A file holds one idea."""
    lengths = {path: len(path.read_text().splitlines()) for path in root.rglob("*.py")}
    assert len(lengths) > 50
    long = {str(path.relative_to(root)): n for path, n in lengths.items() if n > LINES[root]}
    assert long == {}


def _functions() -> Iterator[tuple[str, int]]:
    """Each function of the package, and how many lines its body has, with its docstring."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                place = f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}"
                yield place, node.end_lineno - node.body[0].lineno + 1


def test_no_function_is_too_long() -> None:
    """A body, with its docstring, has 55 lines at most, and few have more than 35."""
    lengths = dict(_functions())
    assert len(lengths) > 1000
    assert {place: n for place, n in lengths.items() if n > LONGEST} == {}
    long = sorted(place for place, n in lengths.items() if n > LONG)
    assert len(long) <= LONG_SHARE * len(lengths), "\n".join(long)
