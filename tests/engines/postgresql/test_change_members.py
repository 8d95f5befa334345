"""A change that alters an extension's members has to say so; what a restore loses is no bar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dbops.change.diff_text import parse_diff
from dbops.change.rehearsal import ChangeRehearsalOrder
from dbops.change.rehearse import rehearse_change
from dbops.change.revert import revert_change
from dbops.change.run import run_change
from dbops.change.run_order import Rehearsed
from dbops.errors import Refused
from dbops.review.work import Kind, Work
from tests.change.bench import Bench
from tests.engines.postgresql.change_database import change_site
from tests.fix_postgresql import PgServer

BASE = (
    "CREATE EXTENSION dblink SCHEMA his",
    "CREATE TABLE his.codes (id integer)",
    "ALTER EXTENSION dblink ADD TABLE his.codes",
    "CREATE TABLE his.note (id integer)",
    "CREATE VIEW his.notes AS SELECT id FROM his.note",
    "COMMENT ON COLUMN his.notes.id IS 'x'",
)
DRIFT = (
    "CREATE TRIGGER t AFTER INSERT ON his.codes"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "ALTER TABLE his.codes ADD lost integer",
)
CONNECT = "FUNCTION his.dblink_connect_u(text)"


@pytest.fixture(scope="module")
def source(pg15: PgServer) -> Iterator[Bench]:
    """A database with an extension, on a table of which somebody put more than a backup keeps."""
    with change_site(pg15) as site:
        site.reset()
        site.run(*BASE, *DRIFT)
        yield Bench(site)


@pytest.fixture(scope="module")
def copy(pg15: PgServer) -> Iterator[Bench]:
    """The same, as it comes out of a restore."""
    with change_site(pg15) as site:
        site.reset()
        site.run(*BASE)
        yield Bench(site)


def test_members_are_not_altered_unseen(source: Bench) -> None:
    """A change with other touches is rolled back, and says what it would have done."""
    up = (
        f"CREATE TABLE his.bed (id integer); GRANT EXECUTE ON {CONNECT} TO PUBLIC;"
        "CREATE POLICY p ON his.codes; CREATE INDEX ix ON his.codes (id);"
        "ALTER TABLE his.codes ADD more integer;"
    )
    before = source.schema()
    order = source.order(up, "DROP TABLE his.bed;", "SELECT true;", ["create table his.bed"])
    with pytest.raises(Refused) as caught:
        run_change(order, source.site.engine, source.observe, lambda _: None)
    assert (caught.value.code, caught.value.message) == (
        "change-undeclared",
        "c-1 was rolled back: c-1 changes what its touches do not name: 1 difference:"
        " extension `dblink`: grants of members: + PUBLIC: EXECUTE on"
        " function his.dblink_connect_u(text); extension `dblink`: policies of members:"
        " + policy his.codes.p: command all; roles PUBLIC; extension `dblink`: tables of members:"
        " + column his.codes.more; + index his.ix",
    )
    assert source.schema() == before


def test_what_is_declared_is_rehearsed_run_and_taken_back(source: Bench, copy: Bench) -> None:
    """On a copy that lacks what no backup keeps; the way back leads to the exact digest."""
    up = f"GRANT EXECUTE ON {CONNECT} TO PUBLIC; CREATE INDEX ix ON his.codes (id);"
    down = f"REVOKE EXECUTE ON {CONNECT} FROM PUBLIC; DROP INDEX his.ix;"
    touches = ["alter extension dblink (grants of members, tables of members)"]
    before = source.schema()
    assert before != copy.schema()
    order = source.order(up, down, "SELECT true;", touches)
    rehearsal = rehearse_change(
        ChangeRehearsalOrder(
            work=Work(Kind.CHANGE, "c-1", "changes/c-1", {"change.yml": b"id: c-1\n"}),
            change=order.change,
            up=order.up,
            down=order.down,
            verify=order.verify,
            host="verifier",
            database="lab",
            backup="lab@1",
            taken=datetime(2026, 11, 22, tzinfo=UTC),
            proof="proven",
            source=before,
        ),
        copy.site.engine,
        lambda: datetime(2026, 11, 23, tzinfo=UTC),
        lambda _: None,
    )
    differences = parse_diff(rehearsal.files["rehearsed-lab.diff"], "diff")
    order = replace(order, rehearsed=Rehearsed(before, differences))
    run_change(order, source.site.engine, source.observe, lambda _: None)
    assert source.schema() != before
    revert_change(replace(order, run="r" * 32), source.site.engine, source.observe, lambda _: None)
    assert source.schema().digest == before.digest


@pytest.mark.parametrize(
    ("up", "down", "touch"),
    [
        ("COMMENT ON COLUMN his.notes.id IS NULL;", "COMMENT ON COLUMN his.notes.id IS 'x';",
         "alter column his.notes.id (comment)"),
        ("REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC;",
         "GRANT EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) TO PUBLIC;",
         "alter function pg_catalog.pg_sleep(double precision) (grants)"),
    ],
)  # fmt: skip
def test_what_was_always_there_is_taken_back(source: Bench, up: str, down: str, touch: str) -> None:
    """Without a rehearsal too: that the schema does not list it does not say that it is gone."""
    before = source.schema()
    order = source.order(up, down, "SELECT true;", [touch], plan=touch[:32].ljust(64, "q"))
    run_change(order, source.site.engine, source.observe, lambda _: None)
    assert source.schema() != before
    revert_change(replace(order, run="s" * 32), source.site.engine, source.observe, lambda _: None)
    assert source.schema() == before
