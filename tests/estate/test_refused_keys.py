"""Unknown and missing keys, bad names, engines and references: exact texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.errors import ExitStatus
from tests.estate.example import NAME_RULE, SQLITE_KEYS, WHOLE, changed, fault

FAULTS = [
    # unknown keys
    (
        changed('engine = "sqlite"\npath = "/srv', 'engin = "sqlite"\npath = "/srv'),
        "estate-unknown-key",
        "databases.lab.engin: unknown key",
        'did you mean "engine"? allowed: engine, path, system, repository, policy, host, port, '
        "dbname, user, password, sslmode, sslrootcert and 3 more",
    ),
    (
        changed('path = "/srv/lab/lab.db"', 'pth = "/srv/lab/lab.db"'),
        "estate-unknown-key",
        "databases.lab.pth: unknown key",
        f'did you mean "path"? allowed: {SQLITE_KEYS}',
    ),
    (
        changed('path = "/srv/lab/lab.db"', 'path = "x"\nwarehouse = 1'),
        "estate-unknown-key",
        "databases.lab.warehouse: unknown key",
        f"allowed: {SQLITE_KEYS}",
    ),
    (
        changed('path = "copy.db"', 'path = "copy.db"\nsystem = "lab"'),
        "estate-unknown-key",
        "targets.copy.system: unknown key",
        "allowed: engine, path",
    ),
    (
        changed("[repositories.main]", "[repository.main]"),
        "estate-unknown-key",
        "repository: unknown key",
        'did you mean "repositories"? allowed: estate, host, repositories, policies, systems, '
        "databases, targets, scratch, audit, review, repair, clocks and 1 more",
    ),
    (
        changed("{ file =", "{ fil ="),
        "estate-unknown-key",
        "databases.flu-watch.password.fil: unknown key",
        'did you mean "file"? allowed: file, env, command',
    ),
    (
        changed("[scratch.postgresql]", "[scratch.oracle]"),
        "estate-unknown-key",
        "scratch.oracle: unknown key",
        "allowed: postgresql",
    ),
    (
        changed('path = "backups"', 'path = "backups"\n"路 径" = 1'),
        "estate-unknown-key",
        'repositories.main."路 径": unknown key',
        "allowed: path",
    ),
    # missing keys
    (
        changed('name = "backup-1"\n', ""),
        "estate-missing-key",
        "host.name: missing key",
        f"add name to [host]: {NAME_RULE}",
    ),
    (
        changed('engine = "sqlite"\npath = "copy.db"', 'path = "copy.db"'),
        "estate-missing-key",
        "targets.copy.engine: missing key",
        "add engine to [targets.copy]: sqlite, postgresql",
    ),
    (
        WHOLE[WHOLE.index("[host]") :],
        "estate-missing-key",
        "estate: missing table",
        "add [estate] with hospital, timezone, trust, recipients",
    ),
    (
        "",
        "estate-missing-key",
        "estate: missing table, and 1 more",
        "add [estate] with hospital, timezone, trust, recipients",
    ),
    (
        changed("[scratch.postgresql]\nhost", "[scratch.postgresql]\nport = 1\n#"),
        "estate-missing-key",
        "scratch.postgresql: a configured server needs host and user",
        "add both, or only account and directory for an ephemeral server",
    ),
    # names
    (
        changed("[systems.lab]", "[systems.Lab]"),
        "estate-bad-name",
        "systems.Lab: not allowed as a name",
        f"allowed: {NAME_RULE}",
    ),
    (
        changed("[databases.lab]", '[databases."实验室"]'),
        "estate-bad-name",
        'databases."实验室": not allowed as a name',
        f"allowed: {NAME_RULE}",
    ),
    (
        changed('name = "backup-1"', 'name = "Backup_1"'),
        "estate-bad-value",
        'host.name: "Backup_1" is not allowed',
        f"allowed: {NAME_RULE}",
    ),
    # engines
    (
        changed('engine = "sqlite"\npath = "/srv', 'engine = "oracle"\npath = "/srv'),
        "engine-not-supported",
        'databases.lab.engine: engine "oracle" is not supported by this version',
        "supported: sqlite, postgresql",
    ),
    (
        changed('engine = "sqlite"\npath = "copy', 'engine = "mysql"\npath = "copy'),
        "engine-not-supported",
        'targets.copy.engine: engine "mysql" is not supported by this version',
        "supported: sqlite, postgresql",
    ),
    (
        changed('engine = "sqlite"\npath = "/srv', 'engine = "postgres"\npath = "/srv'),
        "estate-bad-value",
        'databases.lab.engine: unknown engine "postgres"',
        'did you mean "postgresql"? supported: sqlite, postgresql',
    ),
    (
        changed('engine = "sqlite"\npath = "/srv', 'engine = 3\npath = "/srv'),
        "estate-bad-value",
        "databases.lab.engine: 3 is not allowed",
        "allowed: sqlite, postgresql",
    ),
    # references
    (
        changed('system = "lab"\nengine = "sqlite"', 'system = "labb"\nengine = "sqlite"'),
        "estate-unknown-reference",
        'databases.lab.system: unknown system "labb"',
        'did you mean "lab"? declared: lab',
    ),
    (
        changed('policy = "default"', 'policy = "weekly"'),
        "estate-unknown-reference",
        'databases.flu-watch.policy: unknown policy "weekly"',
        "declared: nightly, default",
    ),
    (
        changed('repository = "main"', 'repository = "nas"'),
        "estate-unknown-reference",
        'databases.flu-watch.repository: unknown repository "nas"',
        "declared: main",
    ),
    (
        changed("[policies.nightly]", '[repositories.nas]\npath = "/nas"\n\n[policies.nightly]'),
        "estate-missing-key",
        "databases.lab.repository: missing key",
        "add repository to [databases.lab]: one of main, nas",
    ),
    (
        changed('[repositories.main]\npath = "backups"\n', ""),
        "estate-missing-key",
        "databases.lab.repository: no repository is declared, and 1 more",
        "add [repositories.main] with path",
    ),
    # several
    (
        changed("tier = 1", 'teir = 1\nrpo = "x"').replace('rpo = "26h"\n', ""),
        "estate-unknown-key",
        "systems.lab.teir: unknown key, and 1 more",
        'did you mean "tier"? allowed: name_zh, name_en, owner, tier, rpo, rto',
    ),
    (
        changed("keep_last = 4", "keep_last = 1.5").replace("[host]", "[hosts]"),
        "estate-unknown-key",
        "hosts: unknown key, and 1 more",
        'did you mean "host"? allowed: estate, host, repositories, policies, systems, databases, '
        "targets, scratch, audit, review, repair, clocks and 1 more",
    ),
]


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"), FAULTS, ids=[fault[2] for fault in FAULTS]
)
def test_one_sentence_and_one_hint(
    tmp_path: Path, text: str, code: str, message: str, hint: str
) -> None:
    """Each mistake gives its key path and what is allowed there, word for word."""
    caught = fault(tmp_path, text)
    assert caught.message == f"dbops.toml: {message}"
    assert caught.hint == hint
    assert caught.code == code
    assert caught.status is ExitStatus.USAGE
