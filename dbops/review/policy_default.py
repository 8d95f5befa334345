"""The policy that a hospital begins with, written so that people can read and edit it; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from dbops.review.policy import Person

_HEAD: Final = """\
# Who must agree before dbops does something that needs agreement (审批规则).
#
# This file belongs to the hospital (医院). It lies beside allowed_signers, outside every git
# repository, and belongs to root or to the account that dbops runs as. Check it after each edit:
#   dbops trust lint

dbops = "policy/v1"
"""

_PERSONS: Final = """
# Persons (人员). A name may be Chinese; the key of the table may not. All principals of one person
# count as that one person, so nobody can agree with himself:
#
#   [persons.zhang-wei]
#   name = "张伟"
#   principals = ["zhang.wei@hospital"]
"""

_ROLES: Final = """\
# Roles (角色): it-department is the hospital's IT department (信息科), engineer is who looks after
# the databases on site (驻场工程师), break-glass is who may decide alone in an emergency (应急).
[roles]
"""

_RULES: Final = """\
# Rules (规则). Every rule that matches must be met; work that none matches is refused.
#   kinds      repair, change, restore, release, recipients
#   databases  only these; left out: every database
#   risk       from this risk upwards: low (left out) or high
#   author     the role that the author must have; left out: anybody named above
#   quorum     how many persons of which role must agree; the author never counts
#   evidence   true: a rehearsal on a restored copy, signed by the verifying host, must be there
#   evidence_age  how old it may be, such as "7d"
#   reproduce  true: a repair must change the very rows that were rehearsed, to the same values
#   backup_age how old the last proven backup of the database may be when the work runs
#   longest    how long a signature may count, from the moment of signing

# Repairs of data and changes of schema (数据修复、结构变更): one of the IT department.
[[rules]]
kinds = ["repair", "change"]
author = "engineer"
quorum = { it-department = 1 }
longest = "14d"

# The same at high risk (高风险): two of the IT department.
[[rules]]
kinds = ["repair", "change"]
risk = "high"
author = "engineer"
quorum = { it-department = 2 }
longest = "7d"

# Restores to anything but scratch, releases of held backups, the list of who can open backups
# (恢复、解除保留、接收者名单).
[[rules]]
kinds = ["restore", "release", "recipients"]
quorum = { it-department = 1 }
longest = "14d"

# A repair is rehearsed first (先演练), with its undo, and a change with its way back, on the last
# proven backup restored: dbops repair rehearse, dbops change rehearse, on the verifying host. An
# undo, what makes a database ready for repairs and what records a schema need no rehearsal.
[[rules]]
kinds = ["repair", "change"]
evidence = true
evidence_age = "7d"

# No change of schema without a proven backup of the last night (无已验证备份，不得变更).
[[rules]]
kinds = ["change"]
backup_age = "26h"

# The rows that a repair touches, before and after it, are sealed to recovery, escrow and the
# reviewers. "runner": also to the host that runs repairs, which an undo there needs; "offline":
# not to that host, and an undo asks for an identity (数据修复的前后快照).
[repair]
bundle = "runner"

# Where verify.sql of a change fails after steps that no rollback takes back (such as an index that
# was built concurrently), "down" runs down.sql at once, "stop" leaves all for a person to look at.
[change]
failed_verify = "stop"

# Break-glass (应急授权): one signature with a reason stands in for the agreement above, for at most
# four hours. It must be reviewed within this time, or nothing else may run.
[break_glass]
role = "break-glass"
longest = "4h"
review_within = "72h"
"""


def default_policy_text(
    persons: Iterable[Person] = (),
    roles: Mapping[str, Iterable[str]] | None = None,
    *,
    demo: bool = False,
) -> str:
    """Return the text of the policy that a hospital begins with; `parse_policy` reads it.

    `roles` are the ids of the persons by role; the roles it-department, engineer and break-glass
    are there in any case. A `demo` policy counts only inside its estate's own directory.
    """
    given = {"it-department": (), "engineer": (), "break-glass": (), **(roles or {})}
    described = "".join(
        f"\n[persons.{person.id}]\nname = {_quoted(person.name)}\n"
        f"principals = {_quoted(list(person.principals))}\n"
        for person in persons
    )
    listed = "".join(f"{role} = {_quoted(list(ids))}\n" for role, ids in given.items())
    mark = "demo = true  # counts only inside the directory of the estate file\n" if demo else ""
    return f"{_HEAD}{mark}{_PERSONS}{described}\n{_ROLES}{listed}\n{_RULES}"


def _quoted(value: object) -> str:
    """Return JSON, which for plain texts and lists of them is also TOML; Chinese stays readable."""
    return json.dumps(value, ensure_ascii=False)
