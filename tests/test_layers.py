"""The house of DESIGN §3, read from the imports: who may know whom."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import dbops

PACKAGE = Path(dbops.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# Each driver has one home: the modules whose names begin so.
HOMES: dict[str, tuple[str, ...]] = {
    "psycopg": ("dbops.engines.postgresql.",),
    "apsw": ("dbops.engines.sqlite.",),
    "pyrage": ("dbops.crypto.age",),
    "click": ("dbops.cli",),
    "tabulate": ("dbops.cli.",),
    "tqdm": ("dbops.cli.",),
    "sqlite3": ("dbops.demo.writing",),
    "sqlglot": ("dbops.change.", "dbops.repair.", "dbops.sql."),
    "chinese_calendar": ("dbops.repair.working_days",),
    "yaml": ("dbops.review.",),
    "platformdirs": ("dbops.estate.", "dbops.cli."),
    "cryptography": ("dbops.crypto.", "dbops.keys."),
}

# What the modules of a room never import, each a prefix of module names.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "dbops.errors": ("dbops.",),
    "dbops.locks": ("dbops.",),
    "dbops.durations": ("dbops.",),
    "dbops.wording": ("dbops.",),
    "dbops.estate.": (
        "dbops.backup",
        "dbops.cli",
        "dbops.crypto",
        "dbops.engines",
        "dbops.repository",
        "dbops.stores",
    ),
    "dbops.crypto.": (
        "dbops.backup",
        "dbops.cli",
        "dbops.engines",
        "dbops.estate",
        "dbops.repository",
        "dbops.stores",
    ),
    "dbops.repository.": (
        "dbops.backup",
        "dbops.cli",
        "dbops.engines",
        "dbops.estate",
        "dbops.stores",
    ),
    "dbops.stores.": ("dbops.backup", "dbops.cli", "dbops.crypto", "dbops.engines", "dbops.estate"),
    "dbops.backup.": (
        "dbops.audit",
        "dbops.cli",
        "dbops.engines",
        "dbops.repair",
        "dbops.review",
        "dbops.stores",
    ),
    "dbops.audit.": (
        "dbops.backup",
        "dbops.cli",
        "dbops.engines",
        "dbops.estate",
        "dbops.repository",
        "dbops.review",
        "dbops.stores",
    ),
    # What the sign-off asks of the ledger's past it reads as entries; it runs nothing itself.
    "dbops.review.": (
        "dbops.backup",
        "dbops.cli",
        "dbops.engines",
        "dbops.estate",
        "dbops.repository",
        "dbops.stores",
    ),
    "dbops.sql.": (
        "dbops.audit",
        "dbops.backup",
        "dbops.change",
        "dbops.cli",
        "dbops.crypto",
        "dbops.engines",
        "dbops.estate",
        "dbops.repair",
        "dbops.repository",
        "dbops.stores",
    ),
    # Values and verbs of repair work on ports; what backups give them, the wiring hands in.
    "dbops.repair.": (
        "dbops.backup",
        "dbops.change",
        "dbops.cli",
        "dbops.engines",
        "dbops.estate",
        "dbops.repository",
        "dbops.stores",
    ),
    "dbops.change.": (
        "dbops.backup",
        "dbops.cli",
        "dbops.engines",
        "dbops.estate",
        "dbops.repair",
        "dbops.repository",
        "dbops.stores",
    ),
    "dbops.git": (
        "dbops.audit",
        "dbops.backup",
        "dbops.cli",
        "dbops.crypto",
        "dbops.engines",
        "dbops.estate",
        "dbops.repository",
        "dbops.review",
        "dbops.stores",
    ),
    "dbops.engines.": ("dbops.cli", "dbops.crypto", "dbops.stores"),
    "dbops.engines.sqlite.": ("dbops.engines.postgresql",),
    "dbops.engines.postgresql.": ("dbops.engines.sqlite",),
}

# What engines may know of the rest: ports and nouns.
ENGINES_MAY = (
    "dbops.backup.ports",
    "dbops.change.function_text",
    "dbops.change.members",
    "dbops.change.ports",
    "dbops.change.schema",
    "dbops.change.schema_text",
    "dbops.change.step",
    "dbops.doctor.finding",
    "dbops.engines.",
    "dbops.errors",
    "dbops.estate.secrets",
    "dbops.estate.values",
    "dbops.locks",
    "dbops.publish",
    "dbops.repair.parameter",
    "dbops.repair.ports",
    "dbops.repair.table",
    "dbops.repository.frames",
    "dbops.repository.manifest",
    "dbops.repository.ranges",
    "dbops.sql.statement",
    "dbops.sql.tokens",
    "dbops.sql.written",
)

VAGUE = {"base", "common", "core", "helper", "helpers", "manager", "misc", "util", "utils"}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


@dataclass(frozen=True)
class Facts:
    """The modules that a file names in its import statements, wherever they stand in it, and the
    dotted names of what it calls or reads, as far as they are written out.
    """

    imports: tuple[str, ...]
    calls: frozenset[str]


@cache
def facts_of(path: Path) -> Facts:
    """What one walk over the file finds."""
    imports: list[str] = []
    calls: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            imports += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            imports += (f"{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            calls.add(f"{node.func.id}()")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            calls.add(f"{node.value.id}.{node.attr}")
    return Facts(tuple(imports), frozenset(calls))


def begins(name: str, prefix: str) -> bool:
    return name == prefix.rstrip(".") or name.startswith(prefix.rstrip(".") + ".")


def test_each_driver_has_one_home() -> None:
    """What a driver can do, and what its errors may say, is known in one place."""
    strays = [
        f"{name_of(path)} imports {imported}"
        for path in MODULES
        for imported in facts_of(path).imports
        for driver, homes in HOMES.items()
        if begins(imported, driver) and not name_of(path).startswith(homes)
    ]
    assert strays == []


def test_arrows_go_one_way() -> None:
    """No room imports one that stands above it, or an adapter beside it."""
    strays = [
        f"{name_of(path)} imports {imported}"
        for path in MODULES
        for room, banned in FORBIDDEN.items()
        if begins(name_of(path), room)
        for imported in facts_of(path).imports
        if any(begins(imported, prefix) for prefix in banned)
    ]
    assert strays == []


def test_engines_know_ports_and_nouns_only() -> None:
    """An engine implements the ports of backup, and knows no use-case and no repository."""
    strays = [
        f"{name_of(path)} imports {imported}"
        for path in MODULES
        if begins(name_of(path), "dbops.engines")
        for imported in facts_of(path).imports
        if begins(imported, "dbops") and not any(begins(imported, may) for may in ENGINES_MAY)
    ]
    assert strays == []


def test_rooms_are_entered_through_their_modules() -> None:
    """`__init__.py` holds a docstring and imports nothing, so that importing one thing is cheap."""
    allowed = {PACKAGE / "cli" / "__init__.py"}  # the entry point
    strays = [
        name_of(path)
        for path in MODULES
        if path.name == "__init__.py" and path not in allowed and facts_of(path).imports
    ]
    assert strays == []


@pytest.mark.parametrize(
    "word",
    ["print()", "input()", "exit()", "quit()", "sys.exit", "sys.stdout", "sys.stderr", "sys.argv"],
)
def test_only_the_command_line_speaks_and_exits(word: str) -> None:
    """Every other room returns values and raises errors."""
    # Two modules are programs of their own, run as children.
    allowed = {"dbops.demo.writing", "dbops.engines.postgresql.watchdog"}
    strays = [
        name_of(path)
        for path in MODULES
        if not begins(name_of(path), "dbops.cli")
        and name_of(path) not in allowed
        and word in facts_of(path).calls
    ]
    assert strays == []


@pytest.mark.parametrize("word", ["os.environ", "os.getenv"])
def test_only_the_command_line_reads_the_environment(word: str) -> None:
    """Configuration comes from the estate; the environment is handed down as an argument."""
    allowed = {"dbops.engines.postgresql.watchdog"}  # hands PATH and the like to its children
    strays = [
        name_of(path)
        for path in MODULES
        if not begins(name_of(path), "dbops.cli")
        and name_of(path) not in allowed
        and word in facts_of(path).calls
    ]
    assert strays == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_small_and_named_for_what_it_is(path: Path) -> None:
    """At most 400 lines, a docstring, and a name that says something."""
    assert len(path.read_text("utf-8").splitlines()) <= 400
    assert ast.get_docstring(tree_of(path))
    assert not set(path.stem.split("_")) & VAGUE
    assert not set(path.parent.name.split("_")) & VAGUE


def test_the_rules_know_every_room() -> None:
    """A room that is added needs a rule here."""
    rooms = {item.name for item in PACKAGE.iterdir() if (item / "__init__.py").exists()}
    assert rooms <= {
        "audit",
        "backup",
        "change",
        "cli",
        "crypto",
        "demo",
        "doctor",
        "engines",
        "estate",
        "keys",
        "repair",
        "repository",
        "review",
        "sql",
        "stores",
    }
