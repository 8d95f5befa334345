"""`dbops --help` and completion are light: no driver and no cryptography is loaded for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = {
    "apsw",
    "boto3",
    "chinese_calendar",
    "cryptography",
    "platformdirs",
    "psycopg",
    "pydantic",
    "pyrage",
    "sqlalchemy",
    "sqlite3",
    "tabulate",
    "tqdm",
    "zstandard",
    "sqlglot",
}

_RUN = """
import json, sys
from dbops.cli import main
sys.argv[0] = "dbops"
try:
    main()
except SystemExit as end:
    status = end.code
loaded = sorted({name.partition(".")[0] for name in sys.modules})
sys.stderr.write("\\n" + json.dumps([status or 0, loaded]))
"""


def run(arguments: list[str], extra: dict[str, str]) -> tuple[int, set[str], str]:
    """Exit status, top-level modules loaded, and what was printed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("_DBOPS")}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**environ, **extra, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    status, loaded = json.loads(done.stderr.splitlines()[-1])
    return status, set(loaded), done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["backup", "--help"],
        ["backup", "run", "--help"],
        ["systems", "--help"],
    ],
    ids=" ".join,
)
def test_help_is_light(arguments: list[str]) -> None:
    """Reading about a command does not load what the command needs."""
    status, loaded, printed = run(arguments, {})
    assert status == 0
    assert printed
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    ("words", "number"), [("dbops ", "1"), ("dbops backup ", "2"), ("dbops backup run --", "3")]
)
def test_completion_is_light(words: str, number: str) -> None:
    """Pressing the tabulator does not load what the command needs."""
    extra = {"_DBOPS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": number}
    status, loaded, printed = run([], extra)
    assert status == 0
    assert printed
    assert loaded & HEAVY == set()


def test_the_measure_sees_what_is_loaded() -> None:
    """A command that does work loads what it needs: the tests above can fail."""
    _status, loaded, _printed = run(["--estate", "/nonexistent", "systems", "list"], {})
    assert "pydantic" in loaded


@pytest.mark.parametrize("room", ["postgresql.reading", "sqlite.dump"])
def test_a_backup_worker_is_light(room: str) -> None:
    """What every worker has to load anew is neither the driver nor what reads documents."""
    modules = f"dbops.backup.workers, dbops.stores.local, dbops.engines.{room}"
    code = f"import json, sys, {modules}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert {"pyrage", "zstandard"} <= loaded
    assert loaded & {"psycopg", "pydantic", "cryptography", "sqlglot", "asyncio"} == set()
