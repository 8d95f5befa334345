"""Rows of repairs for people's eyes: sealed values, evidence, bundles, and what is brought back."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import Event
from dbops.repair.evidence import read_evidence
from dbops.review.folder import read_work
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import (
    AFTER,
    BEFORE,
    WORK,
    agreed,
    ask_for,
    change,
    done,
    folder,
    found_repairs,
    mend,
    rows,
    said,
    sign,
    take_back,
    undo_agreed,
    wards,
    write,
)
from tests.crash.processes import wait_until
from tests.support.ledger import deeds_of

UNDO = "2026-118-undo"
SEALED = "params: {ward: {type: text, sealed: true}}\n"
NAME_ONE = "hint: name one with --identity FILE, or add it to host.identities in dbops.toml\n"
MAY_NOT = f"{WORK} may not run: repairs/{WORK}/evidence.yml:"
SEE = f"hint: dbops review show {WORK}\n"
BY_PARAMETER = "UPDATE visit SET ward = 'ORT' WHERE ward = :ward;\n"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate that is ready for repairs."""
    return found_repairs(tmp_path_factory.mktemp("rows") / "estate")


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def sealed(ops: Ops, value: str = "OLD") -> None:
    """The repair has a sealed parameter, whose value came from a file."""
    text = ops.root / "ward.txt"
    text.write_text(f"{value}\n", "utf-8")
    script = ops.root / "fix.sql"
    script.write_text(BY_PARAMETER)
    done(
        ops.run(
            *("repair", "new", WORK, "--database", "example", "--from", script),
            *("--seal", f"ward={text}", "--title", "t", "--author", "wei@contractor"),
        )
    )
    write(ops, script=BY_PARAMETER, where="ward = :ward", more=SEALED)


def test_a_sealed_value_from_a_file(ops: Ops) -> None:
    """It is bound when the repair runs, and stands in no file in clear."""
    sealed(ops)
    assert sorted(path.name for path in folder(ops).iterdir()) == [
        "payload.age",
        "repair.sql",
        "repair.yml",
    ]
    done(ops.run("repair", "check", WORK))
    sign(ops)
    done(mend(ops))
    assert wards(ops) == AFTER


def test_a_sealed_value_needs_an_identity(ops: Ops) -> None:
    """A host without a runner's identity opens nothing, unless the command names one."""
    sealed(ops)
    sign(ops)
    config = ops.root / "dbops.toml"
    text = config.read_text("utf-8").replace("runner_identity =", "#").replace("identities =", "#")
    config.write_text(text, "utf-8")
    assert said(mend(ops)) == (12, f"error: no identity at hand opens payload.age\n{NAME_ONE}")
    done(mend(ops, WORK, "--identity", ops.root / "hospital" / "recovery"))


def missing(ops: Ops) -> str:
    """Everything that stands in the way."""
    return ops.review("check", WORK).stdout


def rehearsed(ops: Ops) -> None:
    """The author has asked, and the verifying host has rehearsed."""
    done(ops.review("request", WORK, "--key", ops.key("wei"), "--yes"))
    done(ops.run("repair", "rehearse", WORK))


def test_evidence_that_the_policy_asks_for(ops: Ops) -> None:
    """Without it nothing runs; a signature from before the rehearsal does not cover it."""
    ask_for(ops, "evidence = true")
    agreed(ops)
    assert said(mend(ops)) == (
        5,
        f"error: {MAY_NOT} the policy asks for evidence, and there is none\n{SEE}",
    )
    rehearsed(ops)
    ops.commit()
    refused = mend(ops)
    assert refused.exit_code == 5
    assert "approvals/li.na@hospital.txt: it does not list evidence.yml" in missing(ops)
    sign(ops)
    done(mend(ops))


def test_old_evidence(ops: Ops) -> None:
    """What was rehearsed too long ago is rehearsed again."""
    ask_for(ops, "evidence = true", 'evidence_age = "1s"')
    write(ops)
    rehearsed(ops)
    sign(ops)
    found = read_evidence(read_work(ops.tree, folder(ops)))
    assert found is not None
    old = found.at + timedelta(seconds=2)
    assert wait_until(lambda: datetime.now(UTC) > old, 10)
    refused = mend(ops)
    assert refused.exit_code == 5
    assert f"{MAY_NOT} it is older than the 1s of the policy" in refused.stderr


def test_evidence_of_an_unknown_host(ops: Ops) -> None:
    """Evidence is signed by a verifying host of the trust root, or it is none."""
    ask_for(ops, "evidence = true")
    write(ops)
    rehearsed(ops)
    signers = ops.root / "trust" / "allowed_signers"
    text = signers.read_text("utf-8")
    lines = [line for line in text.splitlines() if "evidence" not in line]
    signers.write_text("\n".join(lines) + "\n", "utf-8")
    sign(ops)
    refused = mend(ops)
    assert refused.exit_code == 5
    assert re.search(f"{MAY_NOT} key SHA256:\\S+ is not in the trust root\n", refused.stderr)


def test_other_rows_than_were_rehearsed(ops: Ops) -> None:
    """With `reproduce` the run must change those very rows to those very values."""
    ask_for(ops, "evidence = true", "reproduce = true")
    write(ops)
    rehearsed(ops)
    sign(ops)
    move = "UPDATE visit SET ward = '{}' WHERE id = {};"
    change(ops, move.format("OLD", 4) + move.format("ORT", 1))
    assert said(mend(ops)) == (
        5,
        f"error: {WORK} was rolled back: 3 rows written, as many as approved; but other rows, or"
        " other values\nhint: correct the script, or declare it in repair.yml; then request it"
        f" anew, and: dbops repair rehearse {WORK}\n",
    )
    change(ops, move.format("ORT", 4) + move.format("OLD", 1))
    done(mend(ops))
    assert wards(ops) == AFTER


def test_rows_that_this_host_cannot_open(ops: Ops) -> None:
    """With bundle = "offline" an undo asks for an identity of the hospital."""
    policy = ops.root / "trust" / "policy.toml"
    policy.write_text(policy.read_text("utf-8").replace('"runner"\n', '"offline"\n'), "utf-8")
    agreed(ops)
    done(mend(ops))
    undo_agreed(ops, UNDO)
    (sealed,) = (ops.root / "state" / "bundles").iterdir()
    closed = (12, f"error: no identity at hand opens bundle {sealed.name}\n{NAME_ONE}")
    assert said(take_back(ops, UNDO)) == closed
    assert said(ops.run("repair", "bundle", "show", WORK)) == closed
    done(take_back(ops, UNDO, "--identity", ops.root / "hospital" / "recovery"))
    assert wards(ops) == BEFORE


def test_rows_of_the_rehearsal_and_of_the_run(ops: Ops) -> None:
    """Columns of `show` are in clear, others are digests; each opening is in the ledger."""
    write(ops)
    rehearsed(ops)
    sign(ops)
    done(mend(ops))
    for more in ((), ("--run",)):
        shown = done(ops.run("repair", "show", WORK, *more)).stdout
        table = shown.partition("\n\n")[2].splitlines()
        assert table[0].split() == ["table", "key", "column", "before", "after"]
        assert [re.sub("#[0-9a-f]{8}", "#", line).split() for line in table[2:]] == [
            ["update", "visit", "#", "ward", "OLD", "ORT"]
        ] * 3
    document = json.loads(done(ops.run("repair", "show", WORK, "--json", "--rows", "1")).stdout)
    assert document["declares"] == {"visit": {"inserted": 0, "updated": 3, "deleted": 0}}
    (row,) = document["rows"]
    assert row["columns"] == {"ward": {"before": "OLD", "after": "ORT", "masked": False}}
    page = ops.root / "page.html"
    done(ops.run("repair", "show", WORK, "--html", page))
    assert page.stat().st_mode & 0o777 == 0o600
    text = page.read_text("utf-8")
    assert "<td>OLD</td><td>ORT</td>" in text
    assert "甲" not in text
    again = ops.run("repair", "show", WORK, "--html", page)
    assert again.stderr == (
        f"error: {page} cannot be made (EEXIST)\n"
        "hint: name a new file in a directory that you can write to\n"
    )
    assert len(deeds_of(ops.root, Event.REPAIR_SHOW)) == 5
    assert done(ops.run("repair", "show", WORK, "--rows", "0")).stdout.endswith("3 rows\n")
    assert len(deeds_of(ops.root, Event.REPAIR_SHOW)) == 5


def test_every_row_of_a_bundle(ops: Ops) -> None:
    """`bundle show` has all columns in clear, by run or by work; a damaged one is told."""
    agreed(
        ops, expect="delete: 3", may_change=None, script="DELETE FROM visit WHERE ward = 'OLD';\n"
    )
    done(mend(ops))
    (listed,) = json.loads(done(ops.run("repair", "bundle", "list", "--json")).stdout)
    assert (listed["work"], listed["kind"], listed["batch"]) == (WORK, "repair", 0)
    shown = done(ops.run("repair", "bundle", "show", listed["run"], "--json")).stdout
    assert json.loads(shown)["rows"][0] == {
        "table": "visit",
        "operation": "delete",
        "key": {"id": "1"},
        "columns": {
            "id": {"before": "1", "after": None, "masked": False},
            "ward": {"before": "OLD", "after": None, "masked": False},
            "patient": {"before": "甲", "after": None, "masked": False},
            "note": {"before": "NULL", "after": None, "masked": False},
        },
    }
    path = Path(listed["file"])
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    damaged = ops.run("repair", "bundle", "show", WORK)
    assert damaged.exit_code == 5
    assert damaged.stderr.startswith(f"error: bundle {path.name} ")
    path.unlink()
    assert said(ops.run("repair", "bundle", "show", WORK)) == (
        10,
        f"error: no bundle of {WORK} lies on this host\nhint: dbops repair bundle list\n",
    )


def test_rows_from_a_backup(ops: Ops) -> None:
    """Deleted rows come back and a changed one is as it was; keys and values are sealed."""
    before = rows(ops, "SELECT * FROM visit")
    change(
        ops,
        "DELETE FROM visit WHERE id < 3; UPDATE visit SET note = 'x', ward = 'ICU' WHERE id = 3",
    )
    words = ("repair", "new", WORK, "--database", "example", "--from-backup", "example@2")
    keys = [word for key in (1, 2, 3) for word in ("--key", key)]
    more = ("--title", "误删的就诊", "--author", "wei@contractor")
    listed = ops.root / "keys.txt"
    listed.write_text("2\n3\n", "utf-8")
    done(ops.run(*words, "--table", "visit", *keys[:2], "--keys", listed, *more))
    text = (folder(ops) / "repair.yml").read_text("utf-8")
    assert "expect: {insert: 2, update: 1}\n    may_change: [ward, note]\n" in text
    done(ops.run("repair", "check", WORK))
    preview = ops.run("repair", "rehearse", WORK, "--on", "production-readonly")
    assert done(preview).stdout.endswith(
        "visit: 1 row watched now; declared: 2 inserted, 1 updated, 0 deleted\n"
    )
    sign(ops)
    assert done(mend(ops)).stdout.startswith("example is repaired: 3 rows (2 inserted, 1 updated")
    assert rows(ops, "SELECT * FROM visit") == before
    assert said(ops.run(*words[:2], "2026-2", *words[3:], "--table", "visit", *keys, *more)) == (
        5,
        "error: visit: the database has the rows of 3 keys as the backup has them\n"
        "hint: choose an earlier backup: dbops backup list\n",
    )
