"""The estate file of the demo: fifty systems, a SQLite database each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from dbops.demo.systems import DemoSystem
from dbops.durations import duration_text

_HEAD = """\
# The estate of the demo. Everything in it is made up.

[estate]
hospital = "示范医院"
timezone = "Asia/Shanghai"
trust = "trust"
recipients = "trust/recipients"
state = "state"

[host]
name = "demo"
signing_key = "keys/writer"
catalogue_identity = "keys/catalogue"
identities = ["verifier/drill"]
verifier_key = "verifier/signing"
runner_identity = "keys/runner"

[audit]
directory = "audit"
signing_key = "keys/ledger"

[review]
repository = "ops"

[clocks.data-error]
title = "数据错误修复"
working_days = 5

[repositories.main]
path = "backups"

[policies.nightly]
keep_last = 2
keep_daily = 7
keep_weekly = 5
keep_monthly = 12
"""

_SYSTEM = """
[systems.{code}]
name_zh = {name_zh}
name_en = {name_en}
owner = "信息科"
tier = {tier}
rpo = "{rpo}"
rto = "{rto}"

[databases.{code}]
system = "{code}"
engine = "sqlite"
path = {path}
"""

_RTO = {1: timedelta(hours=2), 2: timedelta(hours=8), 3: timedelta(days=1)}


def demo_estate(systems: Iterable[DemoSystem], folder: Path) -> str:
    """The text of `dbops.toml`; the databases lie in `folder`, named after their systems."""
    return _HEAD + "".join(
        _SYSTEM.format(
            code=system.code,
            name_zh=json.dumps(system.name_zh, ensure_ascii=False),
            name_en=json.dumps(system.name_en),
            tier=system.tier,
            rpo=duration_text(timedelta(hours=26)),
            rto=duration_text(_RTO[system.tier]),
            path=json.dumps(str(folder / f"{system.code}.db"), ensure_ascii=False),
        )
        for system in systems
    )
