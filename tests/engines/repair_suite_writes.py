"""What every repair engine must do: counting, writing back, markers and bounds.

The other half of `repair_suite`; see there.
"""

from __future__ import annotations

from random import Random

import pytest

from dbops.errors import DbopsError, Refused, TryAgain, Unreachable
from dbops.repair.ports import MarkerKind
from dbops.repair.table import Change, Row
from dbops.sql.written import Written
from tests.engines.repair_site import (
    ALL,
    CANARY,
    NOTHING,
    Site,
    begun,
    hospital,
    marker,
    order,
    read,
    rows_of,
    sql,
)


class Counting:
    """What the engine says of what was written."""

    def test_each_operation_is_counted(self, site: Site) -> None:
        """Inserts, updates and deletes of each table, those that change nothing included."""
        hospital(site)
        with begun(site) as session:
            session.run(sql("INSERT INTO ward VALUES ('A', 'a'), ('B', 'b'), ('C', 'c')"), NOTHING)
            session.run(sql("UPDATE visit SET ward = ward WHERE id < 3"), NOTHING)
            session.run(sql("DELETE FROM bill WHERE id = 3"), NOTHING)
            session.settle()
            writes = session.writes([site.table("visit")])
        assert writes.objections == ()
        assert writes.tables == {
            site.table("ward"): Written(inserted=3),
            site.table("visit"): Written(updated=2),
            site.table("bill"): Written(deleted=1),
        }

    def test_reading_and_locking_count_nothing(self, site: Site) -> None:
        """Neither a reading that locks nor a statement that finds no row is a write."""
        hospital(site)
        with begun(site) as session:
            shape = session.shape(site.table("visit"))
            found = read(session, shape, lock=True)
            session.fetch(shape, [one.order for one in found], lock=True)
            session.run(sql("DELETE FROM bill WHERE id = 999"), NOTHING)
            session.settle()
            writes = session.writes([])
        assert writes.objections == ()
        assert {table: ops for table, ops in writes.tables.items() if ops.total} == {}

    def test_what_triggers_write_is_counted(self, site: Site) -> None:
        """A table that nobody named is told."""
        hospital(site)
        body = "INSERT INTO audit VALUES (NEW.id, 'ward ' || NEW.ward)"
        site.trigger("seen", "visit", "UPDATE", body)
        with begun(site) as session:
            session.run(sql("UPDATE visit SET ward = 'ORT' WHERE ward = 'OLD'"), NOTHING)
            session.settle()
            writes = session.writes([site.table("visit")])
        assert writes.tables == {
            site.table("visit"): Written(updated=2),
            site.table("audit"): Written(inserted=2),
        }

    def test_what_foreign_keys_delete_is_counted(self, site: Site) -> None:
        """Children that go with their parents are told."""
        hospital(site)
        with begun(site) as session:
            session.run(sql("DELETE FROM visit WHERE id = 1"), NOTHING)
            session.settle()
            writes = session.writes([])
        assert writes.tables == {
            site.table("visit"): Written(deleted=1),
            site.table("bill"): Written(deleted=2),
        }

    def test_each_session_counts_from_zero(self, site: Site) -> None:
        """What an earlier transaction wrote is not counted again."""
        hospital(site)
        for _ in range(2):
            with begun(site) as session:
                session.run(sql("UPDATE bill SET amount = amount + 1"), NOTHING)
                session.settle()
                writes = session.writes([])
                session.commit()
            assert writes.tables == {site.table("bill"): Written(updated=3)}

    def test_own_markers_are_not_counted(self, site: Site) -> None:
        """dbops' own row is no write of the repair."""
        hospital(site)
        with begun(site) as session:
            session.mark(marker("r1"))
            writes = session.writes([])
        assert (dict(writes.tables), writes.objections) == ({}, ())

    def test_rows_know_who_wrote_them(self, site: Site) -> None:
        """After the script a reading tells the rows of this transaction, and all are counted."""
        hospital(site)
        if not site.engine.traits.own_rows:
            pytest.skip("this engine cannot tell the rows that a transaction wrote")
        with begun(site) as session:
            shape = session.shape(site.table("visit"))
            session.run(sql("UPDATE visit SET note = 'x' WHERE id IN (2, 10)"), NOTHING)
            session.run(sql("INSERT INTO visit VALUES (11, 'ORT', NULL)"), NOTHING)
            found = read(session, shape)
            own = {one.row[0] for one in found if one.own}
            orders = [one.order for one in found if one.row[0] in {b"1", b"2"}]
            near = session.fetch(shape, orders, lock=False)
            assert {one.row[0] for one in near if one.own} == {b"2"}
            assert session.own_rows(shape) == 3
        assert own == {b"2", b"10", b"11"}


class Settling:
    """What waits for COMMIT is found before it."""

    def test_what_is_deferred_is_settled(self, site: Site) -> None:
        """A deferred foreign key that is broken fails before COMMIT; one that holds does not."""
        site.run(
            "CREATE TABLE p (id integer NOT NULL PRIMARY KEY)",
            "CREATE TABLE c (id integer NOT NULL PRIMARY KEY,"
            " p integer REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        site.prepare("p", "c")
        child, parent = sql("INSERT INTO c VALUES (1, 77)"), sql("INSERT INTO p VALUES (77)")
        with begun(site) as session:
            session.run(child, NOTHING)
            with pytest.raises(DbopsError) as caught:
                session.settle()
            assert "77" not in caught.value.message
        assert site.rows("SELECT id FROM c") == []
        with begun(site) as session:
            session.run(child, NOTHING)
            session.run(parent, NOTHING)
            session.settle()
            session.commit()
        assert site.rows("SELECT id FROM c") == [(1,)]


class WritingBack:
    """Changes applied as images hold them."""

    def test_changes_are_written_exactly(self, site: Site) -> None:
        """Afterwards the table holds each `after`, and the engine counts one row for each."""
        hospital(site)
        with begun(site) as session:
            shape = session.shape(site.table("visit"))
            old: dict[bytes | None, Row] = {
                one.row[0]: one.row for one in session.read(shape, ALL, NOTHING, lock=True)
            }
            new = (b"77", b"ORT", "中文 😀 '".encode())
            edited = (b"2", b"ORT", None)
            changes = [
                Change((b"77",), None, new),
                Change((b"2",), old[b"2"], edited),
                Change((b"10",), old[b"10"], None),
            ]
            assert session.apply(shape, changes) == 3
            session.settle()
            found = read(session, shape)
            writes = session.writes([])
        assert set(rows_of(found)) == {old[b"1"], old[b"3"], new, edited}
        assert writes.tables == {site.table("visit"): Written(1, 1, 1)}

    @pytest.mark.parametrize("what", ["delete", "update"])
    def test_a_change_of_a_row_that_is_not_there(self, site: Site, what: str) -> None:
        """It is refused: nothing is written silently into the void."""
        hospital(site)
        before = (b"99", b"ORT", CANARY.encode())
        after = None if what == "delete" else (b"99", b"ORT", b"x")
        with begun(site) as session:
            shape = session.shape(site.table("visit"))
            with pytest.raises(Refused) as caught:
                session.apply(shape, [Change((b"99",), before, after)])
        assert caught.value.code == "row-count"
        assert CANARY not in caught.value.message

    def test_an_insert_over_a_row_fails(self, site: Site) -> None:
        """A row that is there already is never overwritten."""
        hospital(site)
        with begun(site) as session:
            shape = session.shape(site.table("visit"))
            with pytest.raises(DbopsError) as caught:
                session.apply(shape, [Change((b"1",), None, (b"1", b"ORT", CANARY.encode()))])
        assert CANARY not in caught.value.message

    def test_many_changes_are_written(self, site: Site) -> None:
        """Changes are taken as they come, thousands of them."""
        site.run("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v text)")
        site.prepare("t")
        changes = (Change((str(n).encode(),), None, (str(n).encode(), b"v")) for n in range(2500))
        with begun(site) as session:
            assert session.apply(session.shape(site.table("t")), changes) == 2500
            session.commit()
        assert site.rows("SELECT count(*), max(id) FROM t") == [(2500, 2499)]

    @pytest.mark.parametrize("seed", range(3))
    def test_random_rows_go_through_every_way(self, site: Site, seed: int) -> None:
        """Rows of random texts are inserted, found, changed and deleted exactly, and counted."""
        site.run("CREATE TABLE t (a text NOT NULL, n integer, b text NOT NULL, PRIMARY KEY (b, a))")
        site.prepare("t")
        random = Random(seed)
        rows = sorted(_random_rows(random), key=lambda row: (row[2] or b"", row[0] or b""))
        with begun(site) as session:
            shape = session.shape(site.table("t"))
            session.apply(shape, [Change((), None, row) for row in random.sample(rows, len(rows))])
            found = read(session, shape)
            assert rows_of(found) == rows
            assert [one.order for one in found] == sorted(one.order for one in found)
            sought = random.sample(found, len(found) // 2)
            again = session.fetch(shape, [one.order for one in sought], lock=True)
            assert sorted(again) == sorted(sought)
            gone = set(random.sample(range(len(rows)), len(rows) // 3))
            changes = [
                Change(one.order, one.row, None if n in gone else (one.row[0], b"7", one.row[2]))
                for n, one in enumerate(found)
            ]
            session.apply(shape, changes)
            left = read(session, shape)
            writes = session.writes([])
        assert rows_of(left) == [
            (row[0], b"7", row[2]) for n, row in enumerate(rows) if n not in gone
        ]
        same = sum(row[1] == b"7" for n, row in enumerate(rows) if n not in gone)
        assert writes.tables == {
            site.table("t"): Written(len(rows), len(rows) - len(gone) - same, len(gone))
        }

    def test_children_are_counted(self, site: Site) -> None:
        """How many rows point at rows with these keys."""
        hospital(site)
        with begun(site) as session:
            (reference,) = session.shape(site.table("visit")).incoming
            assert session.children(reference, [(b"1",), (b"2",), (b"3",)]) == 3
            assert session.children(reference, [(b"10",)]) == 0
            assert session.children(reference, []) == 0

    def test_a_row_goes_and_comes_back(self, site: Site) -> None:
        """A row deleted by the script and inserted from its image is byte for byte the same."""
        hospital(site)
        with begun(site) as session:
            shape = session.shape(site.table("bill"))
            before = read(session, shape)
            session.run(sql("DELETE FROM bill"), NOTHING)
            session.apply(shape, [Change(one.order, None, one.row) for one in before])
            after = read(session, shape)
        assert rows_of(after) == rows_of(before)


class Marking:
    """Markers: what has committed, and that nothing does twice."""

    def test_a_marker_tells_that_the_run_committed(self, site: Site) -> None:
        """A committed marker is found with all it says; one rolled back is not."""
        hospital(site)
        first = marker("r1", bundle="b1")
        undo = marker("r2", kind=MarkerKind.UNDO, plan="q", undoes="r1", batch=3, upto='["17"]')
        for one in (first, undo):
            with begun(site) as session:
                session.mark(one)
                session.commit()
        with begun(site) as session:
            session.mark(marker("r3", batch=1))
            session.rollback()
        with begun(site, "w-2") as session:
            session.mark(marker("r4", "w-2"))
            session.commit()
        with begun(site) as session:
            assert session.markers("w-1") == (first, undo)
            assert session.markers("nobody") == ()
        assert site.engine.committed("r1", "w-1")
        assert not site.engine.committed("r3", "w-1")

    @pytest.mark.parametrize("same", ["run", "plan", "undoes"])
    def test_nothing_commits_twice(self, site: Site, same: str) -> None:
        """A run, a batch of a plan, and the undo of a run are there once."""
        hospital(site)
        markers = {
            "run": marker("r1", plan="other"),
            "plan": marker("r2"),
            "undoes": marker("r2", plan="other", kind=MarkerKind.UNDO, undoes="r0"),
        }
        with begun(site) as session:
            session.mark(marker("r1", undoes="r0"))
            session.commit()
        with begun(site) as session:
            with pytest.raises(Refused) as caught:
                session.mark(markers[same])
            assert caught.value.code == "already-run"

    def test_a_database_that_was_not_prepared(self, site: Site) -> None:
        """Without the marker table nothing begins."""
        site.run("CREATE TABLE t (id integer NOT NULL PRIMARY KEY)")
        with site.engine.session(order()) as session, pytest.raises(Refused) as caught:
            session.begin()
        assert caught.value.code == "repair-not-prepared"

    def test_preparing_twice_is_harmless(self, site: Site) -> None:
        """The text can run again, and markers stay."""
        hospital(site)
        with begun(site) as session:
            session.mark(marker("r1"))
            session.commit()
        site.prepare("ward", "visit")
        assert site.engine.committed("r1", "w-1")

    def test_removing_takes_back_what_preparing_made(self, site: Site) -> None:
        """Afterwards a repair is refused, until the database is prepared again."""
        hospital(site)
        site.engine.install(site.engine.remove_sql())
        with pytest.raises(DbopsError), begun(site):
            pass
        site.prepare("ward")
        with begun(site):
            pass

    def test_one_work_runs_once_at_a_time(self, site: Site) -> None:
        """While a work's transaction is open, nobody else begins it or judges it."""
        hospital(site)
        with begun(site) as session:
            session.mark(marker("r1"))
            with site.engine.session(order()) as other, pytest.raises(Unreachable) as caught:
                other.begin()
            # Where a writer locks the whole database, nobody can see what it is at.
            assert caught.value.code in {"work-running", "lock-timeout"}
            with pytest.raises(Unreachable) as asked:
                site.engine.committed("r1", "w-1")
            assert asked.value.code == "work-running"
            session.rollback()
        assert not site.engine.committed("r1", "w-1")
        with begun(site):
            pass

    def test_a_row_that_is_locked_is_not_waited_for_long(self, site: Site) -> None:
        """Another repair of the same rows is refused once the wait is over, and is not harmed."""
        hospital(site)
        with begun(site) as session:
            session.run(sql("UPDATE visit SET note = 'x' WHERE id = 1"), NOTHING)
            with pytest.raises(Unreachable) as caught:
                _write_beside(site)
            assert caught.value.code == "lock-timeout"
            assert not isinstance(caught.value, TryAgain)
            session.commit()
        assert site.rows("SELECT note FROM visit WHERE id = 1") == [("x",)]

    def test_an_engine_says_who_it_is(self, site: Site) -> None:
        """Identity, product and clock are told."""
        hospital(site)
        assert site.engine.identity()
        with begun(site) as session:
            assert " " in session.server
            assert session.began.utcoffset() is not None
            assert "x".encode(session.encoding) == b"x"


def _write_beside(site: Site) -> None:
    with begun(site, "w-2") as other:
        other.run(sql("UPDATE visit SET note = 'y' WHERE id = 1"), NOTHING)


def _random_rows(random: Random) -> list[Row]:
    """Rows with different keys, of letters that sort, quote and encode in odd ways."""
    letters = "aAzZ09 _'\"\\%,{}\n\t\u00e9\u00df\u4e2d\U0001f600\u0301\ue000"
    texts = ["".join(random.choices(letters, k=random.randrange(4))) for _ in range(40)]
    keys = {(one, other) for one in texts for other in random.sample(texts, 4)}
    return [
        (one.encode(), random.choice((None, b"7", str(n).encode())), other.encode())
        for n, (one, other) in enumerate(sorted(keys))
    ]
