"""What an engineer does to the files of a work, or to the evidence."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

from dbops.crypto.sshsig import Namespace
from dbops.review.statement import Decision, Statement
from tests.review.desk import (
    AUTHOR,
    DATABASE,
    LI,
    NOW,
    ZHAO,
    Attack,
    Desk,
    evidence_of,
    signer_of,
)


def edited_script(desk: Desk) -> None:
    desk.edit("repair.sql", "'OLD'", "'ICU'")


def edited_script_uncommitted(desk: Desk) -> None:
    desk.tree.commit()
    desk.edit("repair.sql", "'OLD'", "'ICU'")


def new_file_uncommitted(desk: Desk) -> None:
    desk.tree.commit()
    desk.write("after.sql", "DELETE FROM visit\n")


def edited_limits(desk: Desk) -> None:
    desk.edit("repair.yml", "rows: 50", "rows: 5000")


def lowered_risk(desk: Desk) -> None:
    desk.edit("repair.yml", "risk: high", "risk: low")


def limits_signed_other_than_shown(desk: Desk) -> None:
    desk.edit("repair.yml", "rows: 50", "rows: 5000")
    desk.rehearse()
    desk.sign_all()


def manifest_with_another_database(desk: Desk) -> None:
    desk.edit("repair.yml", f"[{DATABASE}]", f"[{DATABASE}, ris]")


def evidence_missing(desk: Desk) -> None:
    (desk.folder / "evidence.yml").unlink()
    desk.sign_all()


def evidence_unsigned(desk: Desk) -> None:
    (desk.folder / "evidence.yml.sig").unlink()
    desk.sign_all()


def evidence_forged(desk: Desk) -> None:
    desk.edit("evidence.yml", "update: 38", "update: 83")
    desk.sign_all()


def evidence_by_the_author(desk: Desk) -> None:
    desk.rehearse(AUTHOR)
    desk.sign_all()


def evidence_by_an_approver(desk: Desk) -> None:
    desk.rehearse(ZHAO)
    desk.sign_all()


def evidence_of_another_revision(desk: Desk) -> None:
    desk.edit("repair.sql", "'OLD'", "'ICU'")
    desk.sign_all()


def evidence_of_other_work(desk: Desk) -> None:
    files = {path: data for path, data in desk.files().items() if "evidence" not in path}
    data = evidence_of(files, id_="2026-118-ward")
    desk.write("evidence.yml", data)
    desk.write("evidence.yml.sig", signer_of("verifier@host").sign(data, Namespace.EVIDENCE))
    desk.sign_all()


def evidence_too_old(desk: Desk) -> None:
    desk.rehearse(at=NOW - timedelta(days=3, seconds=1))
    desk.sign_all()


def approval_of_an_older_revision(desk: Desk) -> None:
    desk.edit("repair.sql", "'OLD'", "'ICU'")
    desk.rehearse()
    desk.sign(AUTHOR, Decision.REQUEST)


def file_gone(desk: Desk) -> None:
    (desk.folder / "repair.sql").unlink()


def file_added(desk: Desk) -> None:
    desk.write("after.sql", "DELETE FROM visit\n")


def file_not_in_the_list(desk: Desk) -> None:
    def unlisted(statement: Statement) -> Statement:
        files = {path: each for path, each in statement.files.items() if path != "repair.sql"}
        return replace(statement, files=files)

    desk.sign(LI, change=unlisted)


def symbolic_link(desk: Desk) -> None:
    (desk.folder / "repair.sql").rename(desk.tree.path / "elsewhere.sql")
    (desk.folder / "repair.sql").symlink_to("../../elsewhere.sql")


def second_name_of_a_file(desk: Desk) -> None:
    os.link(desk.folder / "repair.sql", desk.tree.path / "elsewhere.sql")


def script_with_crlf(desk: Desk) -> None:
    desk.write("repair.sql", (desk.folder / "repair.sql").read_bytes().replace(b"\n", b"\r\n"))
    desk.rehearse()
    desk.sign_all()


def statement_with_crlf(desk: Desk) -> None:
    desk.put(LI, desk.text_of(LI).replace(b"\n", b"\r\n"), Namespace.APPROVAL, LI)


def bidi_in_the_script(desk: Desk) -> None:
    desk.write("repair.sql", "UPDATE visit SET ward = 'ORT' -- \u202e 'DLO' = draw EREHW\n")
    desk.rehearse()
    desk.sign_all()


def bidi_by_an_escape(desk: Desk) -> None:
    desk.edit("repair.yml", "title: 38 visits", 'title: "38 \\u202Evisits"\nwhy: visits')
    desk.rehearse()
    desk.sign_all()


def yaml_key_twice(desk: Desk) -> None:
    desk.edit("repair.yml", "  rows: 50\n", "  rows: 50\n  rows: 5000\n")
    desk.rehearse()
    desk.sign_all()


def yaml_alias(desk: Desk) -> None:
    desk.edit("repair.yml", "  lock_wait: 5s\n", "  lock_wait: &a 5s\n  statement: *a\n")
    desk.rehearse()
    desk.sign_all()


def author_swapped(desk: Desk) -> None:
    """Another engineer's name stands in the manifest; everybody else signs that."""
    desk.edit("repair.yml", "author: wang.fang@site", "author: chen.yi@site")
    desk.rehearse()
    desk.sign_all()


FOLDER: dict[Attack, str] = {
    edited_script: "file-changed",
    edited_script_uncommitted: "work-dirty",
    new_file_uncommitted: "work-uncommitted",
    edited_limits: "limits-differ",
    lowered_risk: "risk-differs",
    limits_signed_other_than_shown: "limits-differ",
    manifest_with_another_database: "databases-differ",
    evidence_missing: "evidence-missing",
    evidence_unsigned: "evidence-unsigned",
    evidence_forged: "signature-wrong",
    evidence_by_the_author: "trust-namespace",
    evidence_by_an_approver: "evidence-signer",
    evidence_of_another_revision: "evidence-files",
    evidence_of_other_work: "evidence-id",
    evidence_too_old: "evidence-old",
    approval_of_an_older_revision: "request-other",
    file_gone: "file-gone",
    file_added: "file-unlisted",
    file_not_in_the_list: "file-unlisted",
    symbolic_link: "work-link",
    second_name_of_a_file: "work-link",
    script_with_crlf: "text-hidden",
    statement_with_crlf: "text-hidden",
    bidi_in_the_script: "text-hidden",
    bidi_by_an_escape: "yaml-escape",
    yaml_key_twice: "yaml-duplicate",
    yaml_alias: "yaml-anchor",
    author_swapped: "author-differs",
}
