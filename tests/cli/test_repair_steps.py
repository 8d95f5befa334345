"""One repair from the preparation to the undo: what the ledger says of it, and who reads rows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dbops.audit.entry import Count, DigestOf, Effect, Event, Label, Phase
from tests.cli.ops import Ops, copy_ops, found_ops
from tests.cli.repairs import HOSPITAL, WORK, done, folder, mend, sign, take_back, undo_agreed
from tests.cli.repairs import write as written
from tests.support.estate import run_sql
from tests.support.ledger import deeds_of, entries_of

PREPARE, UNDO = "2026-116-prepare", "2026-118-undo"
OWN = ("runner_identity =", "identities =")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with a reviewer and an escrow, where all of it was done."""
    ops = found_ops(tmp_path_factory.mktemp("steps") / "estate")
    run_sql(ops.root / "example.db", HOSPITAL)
    read_by(ops, "reviewer:li", ops.key("li").with_name("li.pub").read_text("utf-8").strip())
    escrow = done(ops.run("keys", "new", "escrow", "--out", ops.root / "escrow", "--name", "safe"))
    public = next(word for word in escrow.output.split() if word.startswith("age1"))
    read_by(ops, "escrow:safe", public)
    for words in (("backup", "run", "example"), ("backup", "verify", "example")):
        done(ops.run(*words))
    by = ("--author", "wei@contractor")
    done(ops.run("repair", "prepare", "example", "--id", PREPARE, *by))
    sign(ops, PREPARE)
    done(ops.run("repair", "prepare", "example", "--review", PREPARE, "--yes"))
    written(ops)
    done(ops.review("request", WORK, "--key", ops.key("wei"), "--yes"))
    done(ops.run("repair", "rehearse", WORK))
    sign(ops)
    done(ops.review("show", WORK, "--identity", ops.key("li")))
    done(mend(ops))
    done(ops.run("repair", "show", WORK, "--run"))
    done(ops.run("repair", "bundle", "show", WORK))
    undo_agreed(ops, UNDO)
    done(take_back(ops, UNDO))
    return ops


@pytest.fixture
def ops(told: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(told, tmp_path / "estate")


def read_by(ops: Ops, who: str, public: str) -> None:
    """The hospital lists one more recipient."""
    draft = ops.root / "draft"
    signing = ("--key", ops.root / "hospital" / "signing", "--out", draft, "--yes")
    done(ops.run("keys", "recipients", "sign", "--add", f"{who}:{public}", *signing))
    draft.replace(ops.root / "trust" / "recipients")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_step_stands_in_the_ledger(told: Ops) -> None:
    """In the order in which it was done, each intent with its outcome, and the chain holds."""
    drafts = [entry.draft for entry in entries_of(told.root)]
    begun = [each.event for each in drafts if each.phase is Phase.INTENT]
    request, approve = Event.REVIEW_REQUEST, Event.REVIEW_APPROVE
    assert [each for each in begun if each.value.partition(".")[0] in {"repair", "review"}] == [
        *(request, approve, Event.REPAIR_PREPARE),
        *(request, Event.REPAIR_REHEARSE, request, approve, Event.REPAIR_SHOW),
        *(Event.REPAIR_RUN, Event.REPAIR_SHOW, Event.REPAIR_SHOW),
        *(request, approve, Event.REPAIR_UNDO),
    ]
    for event in begun:
        assert all(deed.outcome is not None for deed in deeds_of(told.root, event))
    done(told.run("audit", "verify"))


def test_the_ledger_says_what_was_prepared_and_rehearsed(told: Ops) -> None:
    """By whose leave the table came, on which backup it was tried, and the evidence's digest."""
    (prepared,) = deeds_of(told.root, Event.REPAIR_PREPARE)
    assert (prepared.intent.target, prepared.intent.work) == ("example", PREPARE)
    assert len(prepared.intent.approvals) == 2
    assert prepared.outcome is not None
    assert prepared.outcome.effect is Effect.COMMITTED
    (tried,) = deeds_of(told.root, Event.REPAIR_REHEARSE)
    assert (tried.intent.work, tried.intent.ticket) == (WORK, "T-117")
    assert tried.intent.names[Label.BACKUP] == "example@2"
    assert tried.outcome is not None
    assert tried.outcome.counts[Count.ROWS] == 3
    digest = sha256(folder(told) / "evidence.yml")
    assert tried.outcome.digests[DigestOf.EVIDENCE] == digest


def test_the_undo_names_what_it_took_back(told: Ops) -> None:
    """Run and undo have a bundle each, whose digests stand there and in the database."""
    (ran,) = deeds_of(told.root, Event.REPAIR_RUN)
    (undone,) = deeds_of(told.root, Event.REPAIR_UNDO)
    assert undone.intent.names[Label.UNDOES] == WORK
    assert len(undone.intent.approvals) == 2
    ends = [each.outcome for each in (ran, undone) if each.outcome]
    lying = {sha256(path) for path in (told.root / "state" / "bundles").iterdir()}
    assert {each.digests[DigestOf.BUNDLE] for each in ends} == lying
    assert [each.effect for each in ends] == [Effect.COMMITTED] * 2


@pytest.mark.parametrize("reader", ["hospital/recovery", "escrow", "persons/li", "keys/runner"])
def test_whom_a_bundle_is_sealed_to(ops: Ops, reader: str) -> None:
    """Recovery, escrow, the reviewer and the runner each open it alone, and nobody else does."""
    config = ops.root / "dbops.toml"
    text = config.read_text("utf-8")
    for name in OWN:
        text = text.replace(name, f"#{name}")
    config.write_text(text, "utf-8")
    (run,) = deeds_of(ops.root, Event.REPAIR_RUN)
    look = ("repair", "bundle", "show", run.intent.names[Label.RUN], "--json", "--identity")
    shown = json.loads(done(ops.run(*look, ops.root / reader)).stdout)
    assert [row["columns"]["ward"]["after"] for row in shown["rows"]] == ["ORT"] * 3
    assert ops.run(*look, ops.root / "verifier" / "drill").exit_code == 12
    assert ops.run(*look, ops.root / "persons" / "chen").exit_code == 12


@pytest.mark.parametrize("reader", ["persons/li", "keys/runner"])
def test_who_reads_rows_reads_no_backup(ops: Ops, reader: str) -> None:
    """Neither a reviewer nor the host that runs repairs opens one."""
    config = ops.root / "dbops.toml"
    config.write_text(config.read_text("utf-8").replace("\nidentities =", "\n#identities ="))
    verify = ("backup", "verify", "example@2", "--identity")
    assert ops.run(*verify, ops.root / reader).exit_code == 12
    done(ops.run(*verify, ops.root / "hospital" / "recovery"))
