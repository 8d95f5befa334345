"""Values that are not allowed: exact texts, and never a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.errors import ExitStatus
from tests.estate.example import (
    CANARY,
    DURATION_RULE,
    PATH_RULE,
    SECRET_RULE,
    WHOLE,
    changed,
    fault,
)

FAULTS = [
    (
        changed('"Asia/Shanghai"', '"Asia/Beijing"'),
        "unknown-time-zone",
        'estate.timezone: unknown time zone "Asia/Beijing"',
        'did you mean "Asia/Shanghai"?',
    ),
    (
        changed('"Asia/Shanghai"', '"Asia/Shangai"'),
        "unknown-time-zone",
        'estate.timezone: unknown time zone "Asia/Shangai"',
        'did you mean "Asia/Shanghai"?',
    ),
    (
        changed('"Asia/Shanghai"', '"right/Asia/Shanghai"'),
        "unknown-time-zone",
        'estate.timezone: unknown time zone "right/Asia/Shanghai"',
        'did you mean "Asia/Shanghai"?',
    ),
    (
        changed('"Asia/Shanghai"', '"../../etc/passwd"'),
        "unknown-time-zone",
        'estate.timezone: unknown time zone "../../etc/passwd"',
        'write an IANA name such as "Asia/Shanghai"',
    ),
    (
        changed('"Asia/Shanghai"', "8"),
        "estate-bad-value",
        "estate.timezone: 8 is not allowed",
        'allowed: an IANA name such as "Asia/Shanghai"',
    ),
    (
        changed('"示范医院"', '" "'),
        "estate-bad-value",
        'estate.hospital: " " is not allowed',
        "allowed: text on one line, not empty",
    ),
    (
        changed("tier = 1", "tier = 4"),
        "estate-bad-value",
        "systems.lab.tier: 4 is not allowed",
        "allowed: 1, 2 or 3",
    ),
    (
        changed("tier = 1", "tier = true"),
        "estate-bad-value",
        "systems.lab.tier: true is not allowed",
        "allowed: 1, 2 or 3",
    ),
    (
        changed('rpo = "26h"', 'rpo = "26 hours"'),
        "estate-bad-value",
        'systems.lab.rpo: "26 hours" is not allowed',
        f"allowed: {DURATION_RULE}",
    ),
    (
        changed('rpo = "26h"', "rpo = 03:00:00"),
        "estate-bad-value",
        "systems.lab.rpo: a date or time is not allowed",
        f"allowed: {DURATION_RULE}",
    ),
    (
        changed("keep_last = 4", "keep_last = -1"),
        "estate-bad-value",
        "policies.nightly.keep_last: -1 is not allowed",
        "allowed: a whole number from 0 to 10000",
    ),
    (
        changed(
            "keep_last = 4", "keep_last = 0\nkeep_daily = 0\nkeep_weekly = 0\nkeep_monthly = 0"
        ),
        "estate-bad-value",
        "policies.nightly: keeps no backup",
        "set one keep_… to 1 or more",
    ),
    (
        changed('witness = "always"', 'witness = "never"'),
        "estate-bad-value",
        'policies.nightly.witness: "never" is not allowed',
        "allowed: always, weekly, generation",
    ),
    (
        changed("port = 5433", "port = 70000"),
        "estate-bad-value",
        "targets.drill.port: 70000 is not allowed",
        "allowed: a whole number from 1 to 65535",
    ),
    (
        changed("port = 5433", 'port = "5433"'),
        "estate-bad-value",
        'targets.drill.port: "5433" is not allowed',
        "allowed: a whole number from 1 to 65535",
    ),
    (
        changed('"verify-full"', '"required"'),
        "estate-bad-value",
        'databases.flu-watch.sslmode: "required" is not allowed',
        "allowed: disable, allow, prefer, require, verify-ca, verify-full",
    ),
    (
        changed('host = "127.0.0.1"', 'host = "db-1,db-2"'),
        "estate-bad-value",
        'databases.flu-watch.host: "db-1,db-2" is not allowed',
        "allowed: one host name, one IP address, or the absolute directory of a socket",
    ),
    (
        changed('["verifier/drill"]', '["verifier/drill", "~/drill"]'),
        "estate-bad-value",
        'host.identities[2]: "~/drill" is not allowed',
        "allowed: an array of paths",
    ),
    (
        changed('"trust/recipients"', '"trust/\\u0000"'),
        "estate-bad-value",
        'estate.recipients: "trust/\\u0000" is not allowed',
        f"allowed: {PATH_RULE}",
    ),
    (
        changed('[repositories.main]\npath = "backups"', '[repositories]\npath = "backups"'),
        "estate-bad-value",
        "repositories.path: must be a table",
        "write [repositories.path] with path",
    ),
    (
        changed("[systems.lab]", "[[systems]]"),
        "estate-bad-value",
        "systems: must be a table",
        "write [systems.NAME]",
    ),
    (
        "host = 3\n" + WHOLE[: WHOLE.index("[host]")],
        "estate-bad-value",
        "host: must be a table",
        "write [host] with name",
    ),
    (
        "databases.x = 3\n" + WHOLE[: WHOLE.index("[repositories")],
        "estate-bad-value",
        "databases.x: must be a table",
        "write [databases.x] with engine, path, system, host, dbname, user",
    ),
]


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"), FAULTS, ids=[fault[2] for fault in FAULTS]
)
def test_value_and_what_is_allowed(
    tmp_path: Path, text: str, code: str, message: str, hint: str
) -> None:
    """Each mistake gives its key path and what is allowed there, word for word."""
    caught = fault(tmp_path, text)
    assert caught.message == f"dbops.toml: {message}"
    assert caught.hint == hint
    assert caught.code == code
    assert caught.status is ExitStatus.USAGE


@pytest.mark.parametrize(
    ("password", "message", "hint"),
    [
        (f'"{CANARY}"', "a password is not written here", SECRET_RULE),
        (f'["{CANARY}"]', "value is not allowed", f"allowed: {SECRET_RULE}"),
        ("{}", "not one source of a secret", SECRET_RULE),
        (f'{{ file = "{CANARY}", env = "X" }}', "not one source of a secret", SECRET_RULE),
    ],
)
def test_password_in_the_file_is_refused_and_not_shown(
    tmp_path: Path, password: str, message: str, hint: str
) -> None:
    """A password is no plain value; the refusal never repeats what stood there."""
    caught = fault(tmp_path, changed('{ file = "secrets/flu" }', password))
    assert caught.message == f"dbops.toml: databases.flu-watch.password: {message}"
    assert caught.hint == hint
    assert caught.__cause__ is None
    assert caught.__suppress_context__


@pytest.mark.parametrize(
    ("password", "where", "rule"),
    [
        (f'{{ env = "{CANARY}" }}', "env", "the name of an environment variable"),
        (f'{{ command = "{CANARY}" }}', "command", "an array of a program and its arguments"),
        ("{ command = [] }", "command", "an array of a program and its arguments"),
        (f'{{ file = ["{CANARY}"] }}', "file", PATH_RULE),
    ],
)
def test_value_under_password_is_not_shown(
    tmp_path: Path, password: str, where: str, rule: str
) -> None:
    """What stands under `password` may be the password itself, so no error repeats it."""
    caught = fault(tmp_path, changed('{ file = "secrets/flu" }', password))
    place = f"dbops.toml: databases.flu-watch.password.{where}"
    assert caught.message == f"{place}: value is not allowed"
    assert caught.hint == f"allowed: {rule}"
