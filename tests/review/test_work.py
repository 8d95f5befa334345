"""A piece of work: its digests, its plan, and what its manifest may say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dbops.errors import Refused
from dbops.review.work import (
    Kind,
    Manifest,
    Risk,
    SignedText,
    Work,
    check_work_id,
    is_plain_path,
    is_principal,
    is_work_id,
    read_manifest,
)
from tests.fix_tools import require_tool

HEAD = "id: w-1\ntitle: 病区\nauthor: wang@site\nrisk: low\n"
REPAIR = f"dbops: repair/v1\n{HEAD}databases: [lab, ris]\n"
RESTORE = f"dbops: restore/v1\n{HEAD}source: lab@12\ntarget: lab-test\noverwrite: yes\n"
RELEASE = f"dbops: release/v1\n{HEAD}backup: lab@12\nreason: the lawsuit is over\n"
RECIPIENTS = f"dbops: recipients/v1\n{HEAD}"


def work_of(kind: Kind, manifest: str, **files: bytes) -> Work:
    """A folder of a kind with this manifest."""
    return Work(kind, "w-1", f"{kind.folder}/w-1", {kind.manifest: manifest.encode(), **files})


def refusal(kind: Kind, manifest: str) -> Refused:
    """How the manifest is refused."""
    with pytest.raises(Refused) as caught:
        read_manifest(work_of(kind, manifest))
    return caught.value


def test_kinds_have_their_folders_and_files() -> None:
    """The names under which people find work in the ops repository."""
    assert [(kind.folder, kind.manifest) for kind in Kind] == [
        ("repairs", "repair.yml"),
        ("changes", "change.yml"),
        ("restores", "restore.yml"),
        ("releases", "release.yml"),
        ("recipients", "recipients.yml"),
    ]


def test_the_plan_is_the_digest_of_what_sha256sum_prints(tmp_path: Path) -> None:
    """Anybody can compute the plan of a folder with coreutils."""
    require_tool("sha256sum", "coreutils")
    files = {"b.sql": b"SELECT 1\n", "a/c.sql": b"", "a-b.sql": "病\n".encode()}
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    listing = subprocess.run(
        ["sha256sum", *sorted(files)], cwd=tmp_path, check=True, capture_output=True
    ).stdout
    plan = subprocess.run(["sha256sum"], input=listing, check=True, capture_output=True).stdout
    work = Work(Kind.REPAIR, "w-1", "repairs/w-1", files)
    assert work.plan == plan.decode().split(" ", maxsplit=1)[0]
    assert list(work.digests) == ["a-b.sql", "a/c.sql", "b.sql"]


def test_risk_reaches() -> None:
    """A rule from low risk is for high risk too, and not the other way."""
    assert Risk.HIGH.reaches(Risk.LOW)
    assert Risk.HIGH.reaches(Risk.HIGH)
    assert Risk.LOW.reaches(Risk.LOW)
    assert not Risk.LOW.reaches(Risk.HIGH)


def test_names() -> None:
    """Ids, paths and principals are names that need no quoting anywhere."""
    assert all(map(is_work_id, ["2026-117-ward", "a", "a" * 80, "a.b_c"]))
    assert not any(map(is_work_id, ["", "A", "-a", ".a", "a/b", "a" * 81, "a\n", "病"]))
    assert all(map(is_plain_path, ["a.sql", "a/b/C-1.sql", "_a"]))
    refused = ["", "/a", "a/", "a//b", "../a", "a/../b", ".git", "a b", "a\n", "病.sql", "a/" * 9]
    assert not any(map(is_plain_path, refused))
    assert is_principal("li.na@hospital")
    assert not any(map(is_principal, ["", ".li", "li na", "*", "李", "a/b", "a\n"]))
    with pytest.raises(Refused) as caught:
        check_work_id("../x")
    assert (caught.value.code, caught.value.hint) == (
        "work-id",
        "allowed: 1 to 80 lower-case letters, digits, dots, hyphens and underscores",
    )


def test_the_digest_of_a_statement_is_of_its_text() -> None:
    """A second form of the same signature is no second statement."""
    assert SignedText(b"a\n", b"x").sha256 == SignedText(b"a\n", b"y").sha256


def test_repairs_and_changes_name_their_databases() -> None:
    """What else stands there is for those who run them."""
    text = f"{REPAIR}ticket: T-1\nlimits: {{rows: 50, lock_wait: 5s}}\nwatch: {{a: [1]}}\n"
    assert read_manifest(work_of(Kind.REPAIR, text)) == Manifest(
        Kind.REPAIR,
        "w-1",
        "病区",
        "wang@site",
        "T-1",
        Risk.LOW,
        ("lab", "ris"),
        ("rows: 50", "lock_wait: 5s"),
    )


def test_a_restore_says_from_where_to_where() -> None:
    """Its settings are limits too, so that everybody signs them in words."""
    found = read_manifest(work_of(Kind.RESTORE, f"{RESTORE}tables: [public.visit, 病区]\n"))
    assert found.databases == ("lab-test",)
    assert found.concerns == ("lab-test", "lab")
    assert found.settings == {
        "source": "lab@12",
        "target": "lab-test",
        "overwrite": "yes",
        "tables": "public.visit, 病区",
    }
    assert found.limits == (
        "source: lab@12",
        "target: lab-test",
        "overwrite: yes",
        "tables: public.visit, 病区",
    )


def test_a_restore_to_a_new_file_writes_to_no_database() -> None:
    """There is no identity of what is not there yet; the path is among the limits."""
    found = read_manifest(work_of(Kind.RESTORE, RESTORE.replace("lab-test", "/srv/病区.db")))
    assert found.databases == ()
    assert found.concerns == ("lab",)
    assert "target: /srv/病区.db" in found.limits


def test_releases_and_recipients() -> None:
    """A release is of one backup and says why; recipients come with their document."""
    release = read_manifest(work_of(Kind.RELEASE, RELEASE))
    assert release.databases == ("lab",)
    assert release.settings == {"backup": "lab@12", "reason": "the lawsuit is over"}
    recipients = read_manifest(work_of(Kind.RECIPIENTS, RECIPIENTS, recipients=b"x\n"))
    assert (recipients.databases, recipients.limits) == ((), ())


@pytest.mark.parametrize(
    ("kind", "text", "code", "message"),
    [
        (Kind.REPAIR, "- a\n", "manifest-form", "repairs/w-1/repair.yml is not a mapping"),
        (Kind.REPAIR, RESTORE, "manifest-version", "repairs/w-1/repair.yml line 1: dbops is not"),
        (Kind.REPAIR, REPAIR.replace("w-1", "w-2"), "manifest-id", "repairs/w-1/repair.yml line 2"),
        (
            Kind.REPAIR,
            REPAIR.replace("risk: low", "risk: none"),
            "manifest-value",
            "repairs/w-1/repair.yml line 5: risk is not allowed",
        ),
        (
            Kind.REPAIR,
            REPAIR.replace("risk: low\n", ""),
            "manifest-missing-key",
            "repairs/w-1/repair.yml: risk is missing",
        ),
        (
            Kind.REPAIR,
            REPAIR.replace("[lab, ris]", "[]"),
            "manifest-value",
            "repairs/w-1/repair.yml line 6: databases is not allowed",
        ),
        (
            Kind.REPAIR,
            REPAIR.replace("[lab, ris]", "[lab, lab]"),
            "manifest-value",
            "repairs/w-1/repair.yml line 6: databases is not allowed",
        ),
        (
            Kind.REPAIR,
            REPAIR.replace("[lab, ris]", "lab"),
            "manifest-value",
            "repairs/w-1/repair.yml line 6: databases is not allowed",
        ),
        (
            Kind.REPAIR,
            f"{REPAIR}limits: {{rows: [1]}}\n",
            "manifest-value",
            "repairs/w-1/repair.yml line 7: limits is not allowed",
        ),
        (
            Kind.RESTORE,
            f"{RESTORE}limits: {{target: other}}\n",
            "manifest-value",
            "restores/w-1/restore.yml line 9: limits is not allowed",
        ),
        (
            Kind.RESTORE,
            f"{RESTORE}tabels: [a]\n",
            "manifest-unknown-key",
            "restores/w-1/restore.yml line 9: unknown key tabels",
        ),
        (
            Kind.RESTORE,
            RESTORE.replace("overwrite: yes", "overwrite: true"),
            "manifest-value",
            "restores/w-1/restore.yml line 8: overwrite is not allowed",
        ),
        (
            Kind.RESTORE,
            RESTORE.replace("lab-test", "../x"),
            "manifest-value",
            "restores/w-1/restore.yml line 7: target is not allowed",
        ),
        (
            Kind.RELEASE,
            RELEASE.replace("lab@12", "lab"),
            "manifest-value",
            "releases/w-1/release.yml line 6: backup is not allowed",
        ),
        (
            Kind.RECIPIENTS,
            RECIPIENTS,
            "manifest-recipients",
            "there is no recipients/w-1/recipients, the document to sign",
        ),
    ],
)
def test_other_manifests_are_refused(kind: Kind, text: str, code: str, message: str) -> None:
    """Whatever is missing, misspelt or of another form is refused with its line."""
    fault = refusal(kind, text)
    assert fault.code == code
    assert fault.message.startswith(message)
    assert fault.hint


def test_a_folder_without_a_manifest_is_refused() -> None:
    """Nothing says what the work is."""
    with pytest.raises(Refused) as caught:
        read_manifest(Work(Kind.REPAIR, "w-1", "repairs/w-1", {"a.sql": b""}))
    assert caught.value.code == "manifest-missing"


def test_sealed_files_are_not_for_reading() -> None:
    """What is sealed by name and by its first line is signed by digest; all else is read."""
    sealed = b"age-encryption.org/v1\n-> X25519"
    files = {"rows.age": sealed, "payload.age": b"DROP TABLE visit", "other.age": sealed}
    work = Work(Kind.REPAIR, "w", "repairs/w", {"repair.sql": b"SELECT 1", **files})
    assert list(work.texts) == ["other.age", "payload.age", "repair.sql"]
    assert list(work.digests) == ["other.age", "payload.age", "repair.sql", "rows.age"]
