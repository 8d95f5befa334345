"""The `dbops.toml` that `dbops init` writes; pure."""

from __future__ import annotations

import json

_TEMPLATE = """\
# What dbops looks after here. Paths are relative to the directory of this file.
# Lines that begin with "#" and no space after it are examples: remove the "#" to use them.

[estate]
hospital = {hospital}             # stands on reports
timezone = {zone}                 # an IANA name
trust = "trust"                   # directory of allowed_signers
recipients = "trust/recipients"   # who can open backups; signed by the hospital
state = "state"                   # locks and remembered heads of this host

[host]                            # the keys that this host holds
name = {host}
signing_key = "keys/writer"            # SSH private key, role writer
catalogue_identity = "keys/catalogue"  # age identity; opens catalogues, never rows
# Only on a host that verifies: what opens backups, and what signs certificates.
identities = ["verifier/drill"]
verifier_key = "verifier/signing"
# Only on a host that runs repairs: opens their rows, which an undo needs, and never a backup.
runner_identity = "keys/runner"

[audit]                           # the ledger: what dbops did on this host
directory = "audit"
signing_key = "keys/ledger"       # signs checkpoints
heartbeat = "26h"                 # a longer silence is reported as a gap
anchor_within = "26h"             # where there are anchors
# A clone of a git repository that the hospital protects, or a directory on another machine.
#[audit.anchors.hospital]
#kind = "git"                     # git or directory
#path = "/srv/dbops-anchors"

[review]                          # the git repository in which work is requested and approved
repository = "ops"

[clocks.data-error]               # by when a data error is repaired, from the ticket's day
title = "数据错误修复"
working_days = 5                  # or days = 7, or within = "2h"

#[calendar]                       # the site's own days, beside the official ones
#days_off = [2026-10-09]
#working_days = []
#opens = "08:00"
#closes = "18:00"

#[repair]
#bundles = "state/bundles"        # the sealed rows of repairs, before and after them
#playbooks = "playbooks"          # the hospital's own

[repositories.main]
path = "backups"

[policies.nightly]
keep_last = 3
keep_daily = 7
keep_weekly = 5
keep_monthly = 12
keep_yearly = 0
grace = "48h"                     # between the mark for deletion and the deletion
generation = "28d"                # a full backup at least this often
witness = "weekly"                # the server sums every row itself: always, weekly, generation

# A system is what people know; its databases are what is backed up.
[systems.example]
name_zh = "示例系统"
name_en = "Example system"
owner = "信息科"
tier = 3                          # 1: care stops without it … 3
rpo = "26h"                       # age that the newest backup may reach
rto = "4h"                        # time that a restore may take

[databases.example]
system = "example"
engine = "sqlite"
path = "example.db"
repository = "main"
policy = "nightly"

#[systems.lab]
#name_zh = "实验室信息化管理系统"
#name_en = "Laboratory informatics"
#owner = "检验科"
#tier = 1
#rpo = "26h"
#rto = "4h"

#[databases.lab]
#system = "lab"
#engine = "postgresql"
#host = "127.0.0.1"               # or the directory of a socket
#port = 5432
#dbname = "lab"
#user = "dbops"
# A secret is never written here: {{ file = "…" }}, {{ env = "…" }} or {{ command = ["…"] }}.
#password = {{ file = "secrets/lab" }}
#sslmode = "verify-full"          # disable, allow, prefer, require, verify-ca, verify-full
#sslrootcert = "secrets/ca.pem"
#jobs = 2                         # workers that read at the same time
#repository = "main"
#policy = "nightly"
# Repairs are run by a role that can write little, made by one that can make roles.
#[databases.lab.repair]
#user = "dbops_repair"
#password = {{ file = "secrets/lab-repair" }}
#[databases.lab.admin]
#user = "postgres"
#password = {{ file = "secrets/lab-admin" }}

# Backups are proven in an ephemeral server; with host and user, in that server instead.
#[scratch.postgresql]
#account = "dbops-scratch"        # runs the ephemeral server when dbops runs as root
#directory = "/var/lib/dbops-scratch"  # room for a whole database; that account must get in
#host = "127.0.0.1"
#port = 5433
#user = "scratch"
#password = {{ env = "DBOPS_SCRATCH_PASSWORD" }}

# Where `dbops restore run --to` may write.
#[targets.lab-restored]
#engine = "postgresql"
#host = "127.0.0.1"
#dbname = "lab_restored"
#user = "dbops"
#password = {{ file = "secrets/lab" }}
"""


def estate_template(hospital: str, zone: str, host: str) -> str:
    """Return the commented file for a hospital, an IANA time zone and a host's name.

    It loads as it is, with one SQLite database, and also with every example in use.
    """
    return _TEMPLATE.format(hospital=_string(hospital), zone=_string(zone), host=_string(host))


def _string(text: str) -> str:
    # A JSON string is a TOML basic string but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
