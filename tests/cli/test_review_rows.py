"""`dbops review show --identity` opens the rows of a rehearsal for reviewers, and records it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dbops.audit.entry import Event
from dbops.crypto.signing import generate_signing_key
from tests.cli.ops import Ops, copy_ops
from tests.cli.repairs import WORK, done, folder, found_repairs, said, write
from tests.support.ledger import deeds_of

SIGNED = ("keys", "recipients", "sign")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate whose list of recipients names Li Na's SSH key, and a rehearsed repair."""
    ops = found_repairs(tmp_path_factory.mktemp("reviewed") / "estate")
    public = ops.key("li").with_name("li.pub").read_text("utf-8").strip()
    draft = ops.root / "draft"
    hospital = ("--key", ops.root / "hospital" / "signing", "--out", draft, "--yes")
    done(ops.run(*SIGNED, "--add", f"reviewer:li:{public}", *hospital))
    draft.replace(ops.root / "trust" / "recipients")
    write(ops)
    done(ops.review("request", WORK, "--key", ops.key("wei"), "--yes"))
    done(ops.run("repair", "rehearse", WORK))
    config = ops.root / "dbops.toml"  # from here on the estate of a reviewer: no host's identity
    text = config.read_text("utf-8").replace("runner_identity =", "#").replace("identities =", "#")
    config.write_text(text, "utf-8")
    return ops


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def openings(ops: Ops) -> int:
    """How often the ledger says that somebody opened rows."""
    return len(deeds_of(ops.root, Event.REPAIR_SHOW))


def test_the_rows_are_opened_with_the_key_that_signs(ops: Ops) -> None:
    """Beside all that is known without them; columns of `show` in clear, the key as digest."""
    shown = done(ops.review("show", WORK, "--identity", ops.key("li"))).stdout
    plain = done(ops.review("show", WORK)).stdout
    assert shown.startswith(plain)
    table = shown.removeprefix(plain).strip().splitlines()
    assert table[0].split() == ["table", "key", "column", "before", "after"]
    assert [re.sub("#[0-9a-f]{8}", "#", line).split() for line in table[2:]] == [
        ["update", "visit", "#", "ward", "OLD", "ORT"]
    ] * 3
    assert "甲" not in shown


def test_json_has_the_rows_as_well(ops: Ops) -> None:
    """Null where nobody asked for them."""
    found = json.loads(done(ops.review("show", WORK, "--json")).stdout)
    assert found["rows"] is None
    opened = ops.review("show", WORK, "--identity", ops.key("li"), "--json")
    rows = json.loads(done(opened).stdout)["rows"]
    assert [row["columns"] for row in rows] == [
        {"ward": {"before": "OLD", "after": "ORT", "masked": False}}
    ] * 3


def test_opening_is_recorded_and_looking_is_not(ops: Ops) -> None:
    """The ledger has an entry for each opening, of this work, and none for a look without rows."""
    done(ops.review("show", WORK))
    assert openings(ops) == 0
    done(ops.review("show", WORK, "--identity", ops.key("li")))
    (deed,) = deeds_of(ops.root, Event.REPAIR_SHOW)
    assert (deed.intent.work, deed.intent.target) == (WORK, "example")
    assert deed.outcome is not None
    assert deed.outcome.code is None


def test_another_key_opens_nothing(ops: Ops) -> None:
    """Who is no reviewer is told so, and the attempt is recorded."""
    generate_signing_key(ops.root / "other", "other")
    for stranger in (ops.key("chen"), ops.root / "other", ops.root / "verifier" / "drill"):
        refused = ops.review("show", WORK, "--identity", stranger)
        assert said(refused) == (
            12,
            f"error: no identity at hand opens repairs/{WORK}/rows.age\n"
            "hint: name one with --identity FILE, or add it to host.identities in dbops.toml\n",
        )
        assert "before" not in refused.stdout
    assert openings(ops) == 3


def test_rows_that_nobody_vouches_for(ops: Ops) -> None:
    """What was changed since the rehearsal is said before its rows are shown."""
    script = folder(ops) / "repair.sql"
    script.write_bytes(script.read_bytes().replace(b"ORT", b"ICU"))
    shown = done(ops.review("show", WORK, "--identity", ops.key("li")))
    assert "remark: nobody vouches for its evidence and rows: " in shown.stderr


def test_work_without_rows(ops: Ops) -> None:
    """A repair that was not rehearsed has none, and neither has work of another kind."""
    (folder(ops) / "rows.age").unlink()
    ops.new("2026-117-copy")
    for work in (WORK, "2026-117-copy"):
        shown = done(ops.review("show", work, "--identity", ops.key("li")))
        remark = f"remark: {work} has no rows.age: only a repair that was rehearsed has rows"
        assert remark in shown.stderr
    assert openings(ops) == 0
