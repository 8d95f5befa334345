"""An estate file that uses everything, and the words that refusals repeat."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.errors import DbopsError
from dbops.estate.load import load_estate

CANARY = "canary-hunter2"
NEWLINE = "\n"

WHOLE = """\
[estate]
hospital = "示范医院"
timezone = "Asia/Shanghai"
trust = "trust"
recipients = "trust/recipients"
state = "state"

[host]
name = "backup-1"
signing_key = "keys/writer"
catalogue_identity = "keys/catalogue"
identities = ["verifier/drill"]
verifier_key = "verifier/signing"

[repositories.main]
path = "backups"

[policies.nightly]
keep_last = 4
grace = "2d"
witness = "always"

[systems.lab]
name_zh = "实验室信息化管理系统"
name_en = "Laboratory informatics"
owner = "检验科"
tier = 1
rpo = "26h"
rto = "4h"

[databases.lab]
system = "lab"
engine = "sqlite"
path = "/srv/lab/lab.db"

[databases.flu-watch]
system = "lab"
engine = "postgresql"
repository = "main"
policy = "default"
host = "127.0.0.1"
dbname = "flu"
user = "dbops"
password = { file = "secrets/flu" }
sslmode = "verify-full"
sslrootcert = "ca.pem"
jobs = 4

[targets.drill]
engine = "postgresql"
host = "/run/postgresql"
port = 5433
dbname = "流感"
user = "dbops"
password = { env = "FLU_PASSWORD" }

[targets.copy]
engine = "sqlite"
path = "copy.db"

[scratch.postgresql]
host = "scratch.example"
user = "scratch"
password = { command = ["./bin/secret", "show", "flu"] }
account = "dbops-scratch"
"""

PATH_RULE = 'a path, absolute or relative to the directory of dbops.toml ("~" is not expanded)'
DURATION_RULE = 'a duration such as "90m", "26h", "7d" or "2w", more than nothing'
SECRET_RULE = 'write { file = "…" }, { env = "…" } or { command = ["…"] }'
NAME_RULE = "1 to 63 lower-case letters, digits and hyphens, the first not a hyphen"
TOML_RULE = "the syntax is TOML: https://toml.io"
SQLITE_KEYS = "engine, path, system, repository, policy"


def written(directory: Path, text: str | bytes) -> Path:
    path = directory / "dbops.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def changed(old: str, new: str) -> str:
    assert WHOLE.count(old) == 1, f"{old!r} stands {WHOLE.count(old)} times in the example"
    return WHOLE.replace(old, new)


def line_of(text: str) -> int:
    assert WHOLE.count(text) == 1
    return WHOLE[: WHOLE.index(text)].count(NEWLINE) + 1


def fault(directory: Path, text: str | bytes) -> DbopsError:
    with pytest.raises(DbopsError) as caught:
        load_estate(written(directory, text))
    return caught.value
