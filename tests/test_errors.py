"""Errors: stable codes, one form of words, and safe passage between processes."""

from __future__ import annotations

import ast
import pickle
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import dbops
from dbops import errors
from dbops.errors import DbopsError, ExitStatus
from dbops.repository.ports import ObjectExists

PACKAGE = Path(dbops.__file__).parent
CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, DbopsError) and kind is not DbopsError
]
NAMES = {kind.__name__ for kind in CLASSES}

# Words that keep their capitals inside a message.
PROPER = re.compile(
    r"^(SQLite|PostgreSQL|NaN|JSON|TOML|UTF-8|TLS|SSH|OpenSSH|UTC|PGPASSFILE|DBOPS_[A-Z_]+|\{|[^A-Z])"
)


@dataclass(frozen=True)
class Raised:
    """One place that makes an error; None where a part is not a literal."""

    place: str
    kind: str
    code: str | None
    message: str | None
    hint: str | None


def text_of(node: ast.expr | None) -> str | None:
    """A literal's text, with `{}` for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = text_of(node.left), text_of(node.right)
        return None if left is None else left + (right or "{}")
    return None


@cache
def raised() -> tuple[Raised, ...]:
    """All of them; only who runs these tests reads all of dbops for that, not who collects them."""
    return tuple(_raised())


def _raised() -> Iterator[Raised]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in NAMES and len(node.args) == 2:
                hint = next((word.value for word in node.keywords if word.arg == "hint"), None)
                yield Raised(
                    f"{path.relative_to(PACKAGE)}:{node.lineno}",
                    node.func.id,
                    text_of(node.args[0]),
                    text_of(node.args[1]),
                    text_of(hint),
                )


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_survives_the_trip_from_a_worker(kind: type[DbopsError]) -> None:
    """Class, code, message, hint and status arrive as they left."""
    error = kind("some-code", "what failed", hint="do this")
    found = pickle.loads(pickle.dumps(error))  # noqa: S301 - as multiprocessing does
    assert type(found) is kind
    assert (found.code, found.message, found.hint) == ("some-code", "what failed", "do this")
    assert found.status is error.status
    assert str(found) == "what failed"


def test_an_error_with_a_form_of_its_own_survives_as_well() -> None:
    """The store's own error is made from a name, and is again."""
    error = ObjectExists("db/lab/pack/ab/x.age")
    found = pickle.loads(pickle.dumps(error))  # noqa: S301 - as multiprocessing does
    assert type(found) is ObjectExists
    assert found.message == "db/lab/pack/ab/x.age exists already in the repository"


def test_each_class_has_its_exit_status() -> None:
    """The statuses of DESIGN §9."""
    assert {kind.__name__: int(kind.status) for kind in CLASSES} == {
        "Failed": 1,
        "Partly": 3,
        "HalfDone": 3,
        "UsageFault": 2,
        "Finding": 4,
        "Refused": 5,
        "NotFound": 10,
        "TryAgain": 11,
        "Unreachable": 11,
        "NoIdentity": 12,
        "Interrupted": 130,
    }
    assert [int(status) for status in ExitStatus] == [0, 1, 2, 3, 4, 5, 10, 11, 12, 70, 130]


def test_errors_are_found_at_all() -> None:
    """The tests below look at something."""
    assert len(raised()) > 100
    assert len({item.code for item in raised()}) > 60


def test_codes_are_kebab_case() -> None:
    """Scripts match on them."""
    pattern = re.compile(r"[a-z0-9{}]+(-[a-z0-9{}]+)*")
    wrong = [item for item in raised() if item.code and not pattern.fullmatch(item.code)]
    assert wrong == []


def test_a_code_has_one_exit_status() -> None:
    """One code never ends a command in two ways."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for item in raised():
        if item.code and "{" not in item.code:
            kinds[item.code].add(item.kind)
    assert {code: sorted(found) for code, found in kinds.items() if len(found) > 1} == {}


def test_messages_have_one_form() -> None:
    """Lower case, no full stop, one line; a message may begin with a name."""
    wrong = [
        item
        for item in raised()
        if item.message is not None
        and (
            not PROPER.match(item.message)
            or item.message.endswith((".", "!"))
            or "\n" in item.message
        )
    ]
    assert wrong == []


def test_hints_have_one_form() -> None:
    """A hint is given, on one line, without a full stop."""
    wrong = [
        item
        for item in raised()
        if item.hint is not None and (not item.hint or item.hint.endswith(".") or "\n" in item.hint)
    ]
    assert wrong == []
