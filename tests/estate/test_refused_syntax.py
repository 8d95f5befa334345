"""What is no TOML is refused with its line: exact texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.errors import ExitStatus
from tests.estate.example import NEWLINE, TOML_RULE, WHOLE, changed, fault, line_of

SYNTAX = [
    (
        WHOLE + '\n[databases.lab]\nsystem = "lab"\n',
        f"line {WHOLE.count(NEWLINE) + 2}: table databases.lab is declared twice",
        "remove one of them",
    ),
    (
        changed('rto = "4h"', 'rto = "4h"\nrto = "5h"'),
        f'line {line_of("rto =") + 1}: key "rto" is given twice',
        "remove one of them",
    ),
    (
        changed("{ file =", '{ file = "x", file ='),
        f"line {line_of('password = { file')}: duplicate inline table key 'file'",
        TOML_RULE,
    ),
    (
        changed("tier = 1", "tier"),
        f"line {line_of('tier = 1')}: expected '=' after a key in a key/value pair",
        TOML_RULE,
    ),
    (changed("tier = 1", "tier ="), f"line {line_of('tier = 1')}: invalid value", TOML_RULE),
    (
        changed('"scratch.example"', r'"C:\data"'),
        f"line {line_of('scratch.example')}: " + r"unescaped '\' in a string",
        TOML_RULE,
    ),
    ('a = """x\n\n\n', "line 1: unterminated string", TOML_RULE),
    (
        changed("示范医院", "X").encode().replace(b"X", "示范医院".encode("gbk")),
        "line 2: not UTF-8",
        "save the file as UTF-8",
    ),
    ("a = " + "[" * 5000, "a number is too long or a value is nested too deeply", TOML_RULE),
    ("a = " + "1" * 5000, "a number is too long or a value is nested too deeply", TOML_RULE),
]


@pytest.mark.parametrize(
    ("text", "message", "hint"), SYNTAX, ids=[message for _, message, _ in SYNTAX]
)
def test_what_is_not_toml(tmp_path: Path, text: str | bytes, message: str, hint: str) -> None:
    """A mistake of syntax gives its line; a table or key given twice is one."""
    caught = fault(tmp_path, text)
    assert caught.message == f"dbops.toml: {message}"
    assert caught.hint == hint
    assert (caught.code, caught.status) == ("estate-not-toml", ExitStatus.USAGE)
