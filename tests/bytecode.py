"""Every module is compiled once, before anybody imports it.

Where the environment forbids Python to keep bytecode, or a clone is fresh, each of the hundreds of
processes that tests start would compile all of dbops again, and each worker of pytest-xdist every
test: that took a fifth of the suite's time. An installed dbops has its bytecode, too.
"""

from __future__ import annotations

import compileall
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Compile dbops; and the tests, too, where several workers are about to import all of them."""
    if hasattr(config, "workerinput"):
        return
    compileall.compile_dir(_ROOT / "dbops", quiet=2)  # what cannot be compiled, an import will say
    runs_all = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if runs_all and config.getoption("numprocesses", default=None):
        _compile_tests(os.cpu_count() or 1)


def _compile_tests(processes: int) -> None:
    """Afterwards the modules below tests have been imported once, with assertions rewritten."""
    paths = sorted((_ROOT / "tests").rglob("*.py"))
    names = [".".join(path.relative_to(_ROOT).with_suffix("").parts) for path in paths]
    children = [_import_in_child(names[number::processes]) for number in range(processes)]
    for child in children:
        os.waitpid(child, 0)


def _import_in_child(names: Sequence[str]) -> int:
    """The number of a fork that imports these, for the sake of the files that this leaves."""
    child = os.fork()
    if child:
        return child
    try:
        sys.dont_write_bytecode = False
        for name in names:
            with suppress(Exception):  # the one who collects it will say so
                importlib.import_module(name)
    finally:
        os._exit(0)
