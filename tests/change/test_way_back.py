"""What down.sql must not do besides taking the change back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.change.revert import revert_change
from dbops.change.standing import State
from dbops.errors import Refused
from tests.change.bench import DOWN, Bench
from tests.change.test_rehearse import TRUE, asked, refusal


def test_rows_that_constraints_do_not_allow(bench: Bench) -> None:
    """What a constraint would only say at COMMIT is asked before it, and the change stays."""
    order = bench.order(down=f"{DOWN} INSERT INTO {{visit}} (id, ward) VALUES (9, 'NONE');")
    bench.run(order)
    with pytest.raises(Refused) as caught:
        revert_change(replace(order, run="b" * 32), bench.site.engine, bench.observe)
    said = {
        "sqlite": "c-1 would leave behind: 1 row of visit without a parent in ward",
        "postgres": "checking deferred constraints (his.visit, visit_ward):"
        " a constraint refuses a row (23503)",
    }[bench.site.engine.traits.dialect]
    assert caught.value.message == f"down.sql of c-1 was rolled back: {said}"
    assert bench.state() is State.WHOLE
    assert bench.has("room")


def test_columns_that_stand_elsewhere_in_a_table_of_which_none_was_changed(
    sqlite_bench: Bench,
) -> None:
    """Their new places come of nothing that up.sql did: that is not how it was."""
    bench = sqlite_bench
    bench.site.run("CREATE TABLE bed (a, b)")
    order = asked(
        bench,
        "CREATE INDEX bed_b ON bed (b);",
        "DROP INDEX bed_b; ALTER TABLE bed DROP COLUMN a; ALTER TABLE bed ADD COLUMN a;",
        TRUE,
        ("create index bed_b",),
    )
    refused = refusal(bench, order)
    assert (refused.code, refused.message) == (
        "change-down",
        "down.sql does not bring back what c-1 changed: 2 differences:"
        " column `a` of `bed`: position: 1 → 2; column `b` of `bed`: position: 2 → 1",
    )
