"""What is done around the folder: who owns the rules, and which database is meant."""

from __future__ import annotations

import os
from pathlib import Path

from dbops.review.work import Kind
from tests.review.desk import (
    DATABASE,
    ENGINEER,
    Attack,
    Desk,
)


def another_database(desk: Desk) -> None:
    desk.database = "ris"
    desk.identities["ris"] = "postgresql:7444512345678901234:16999"


def repointed_alias(desk: Desk) -> None:
    desk.identities[DATABASE] = "postgresql:7444519999999999999:16401"


def unidentified_database(desk: Desk) -> None:
    desk.identities.clear()


def trust_root_writable(desk: Desk) -> None:
    desk.trust.chmod(0o777)


def allowed_signers_writable(desk: Desk) -> None:
    desk.allowed.chmod(0o666)


def trust_root_in_the_work_tree(desk: Desk) -> None:
    desk.trust = desk.trust.rename(desk.tree.path / "trust")


def trust_root_by_a_link(desk: Desk) -> None:
    desk.trust.rename(desk.place / "real")
    desk.trust.symlink_to("real")


def policy_of_the_engineer(desk: Desk) -> None:
    text = desk.policy.read_text()
    desk.policy.write_text(text.replace("it-department = 2", "it-department = 1"))
    os.chown(desk.policy, ENGINEER, ENGINEER)


def estate_with_a_planted_command(desk: Desk) -> None:
    desk.estate.write_text('[databases.lab]\npassword = { command = ["/home/wang/x"] }\n')
    os.chown(desk.estate, ENGINEER, ENGINEER)


def estate_in_the_engineers_directory(desk: Desk) -> None:
    home = desk.place / "home"
    home.mkdir()
    desk.estate = desk.estate.rename(home / "dbops.toml")
    os.chown(home, ENGINEER, ENGINEER)


def recipients_writable(desk: Desk) -> None:
    desk.protected = (desk.place / "recipients",)
    desk.protected[0].write_bytes(b"")
    desk.protected[0].chmod(0o622)


def run_as_the_engineer(desk: Desk) -> None:
    desk.euid = ENGINEER


def demo_policy_on_real_data(desk: Desk) -> None:
    text = desk.policy.read_text()
    desk.policy.write_text(text.replace("demo = false", "demo = true"))
    desk.touched = (Path("/srv/lab.db"),)


def work_of_another_kind(desk: Desk) -> None:
    desk.kind = Kind.RESTORE


PLACE: dict[Attack, str] = {
    another_database: "database-not-named",
    repointed_alias: "database-identity",
    unidentified_database: "database-unidentified",
    trust_root_writable: "trust-writable",
    allowed_signers_writable: "trust-writable",
    trust_root_in_the_work_tree: "trust-inside-worktree",
    trust_root_by_a_link: "trust-link",
    policy_of_the_engineer: "trust-owner",
    estate_with_a_planted_command: "trust-owner",
    estate_in_the_engineers_directory: "trust-owner",
    recipients_writable: "trust-writable",
    run_as_the_engineer: "trust-personal",
    demo_policy_on_real_data: "demo-outside",
    work_of_another_kind: "work-kind",
}
