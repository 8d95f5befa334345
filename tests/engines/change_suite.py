"""What every change engine must do; each engine's tests inherit these classes.

A test class of an engine is empty but for the fixture `site` (see `change_suite_site.ChangeSite`).
The SQL here is what all engines understand; what is an engine's own stands in its own tests. This
is what a session sees, asks and keeps apart; `change_suite_runs` has steps and the journal.
"""

from __future__ import annotations

import time

import pytest

from dbops.change.ports import ChangeSession, LockTimeout
from dbops.errors import Failed, Refused, Unreachable
from tests.engines.change_suite_site import (
    CANARY,
    WAIT,
    ChangeSite,
    add_phone,
    begun,
    hospital,
    order,
    reading,
    step,
)


class Seeing:
    """Schemas, sizes and counts."""

    def test_the_schema_has_tables_and_columns(self, site: ChangeSite) -> None:
        """Each is an object, a column one that belongs to its table."""
        hospital(site)
        with reading(site) as session:
            schema = session.schema()
        assert {site.table("ward"), site.table("visit")} <= schema.objects.keys()
        assert schema.objects[site.column("ward", "name")].of == site.table("ward")
        assert schema.unknown == ()

    def test_a_session_sees_its_own_changes_and_nobody_else(self, site: ChangeSite) -> None:
        """Uncommitted changes are in the schema of the session that made them only."""
        hospital(site)
        phone = site.column("ward", "phone")
        with begun(site) as session:
            session.run(add_phone(site))
            assert phone in session.schema().objects
            session.rollback()
            assert phone not in session.schema().objects
        with reading(site) as other:
            assert phone not in other.schema().objects

    def test_the_journal_is_not_in_the_schema(self, site: ChangeSite) -> None:
        """What dbops makes for itself is no difference to anybody."""
        hospital(site)
        with reading(site) as session:
            before = session.schema()
        with site.engine.session(order()) as session:
            assert session.schema() == before

    def test_the_digest_is_the_same_in_every_session(self, site: ChangeSite) -> None:
        """Two readings of one schema are equal, inside a transaction and outside of one."""
        hospital(site)
        with begun(site) as session, reading(site) as other:
            assert session.schema().digest == other.schema().digest

    def test_counts_are_exact(self, site: ChangeSite) -> None:
        """Every table is counted, uncommitted rows of the session included, and nothing else."""
        hospital(site)
        with begun(site) as session:
            session.run(step(f"DELETE FROM {site.full('visit')} WHERE id = 3"))
            assert session.counts() == {site.table("ward"): 2, site.table("visit"): 2}
        with reading(site) as session:
            assert session.counts()[site.table("visit")] == 3

    def test_sizes_name_every_table(self, site: ChangeSite) -> None:
        """Each has a number of rows and of bytes, neither below nothing."""
        hospital(site)
        with reading(site) as session:
            sizes = session.sizes()
        assert sizes.keys() == {site.table("ward"), site.table("visit")}
        assert all(size.rows >= 0 and size.bytes > 0 for size in sizes.values())

    def test_the_server_has_a_name(self, site: ChangeSite) -> None:
        """Product and version are said."""
        with reading(site) as session:
            product, version = session.server.split(" ")
        assert product.isalpha()
        assert version[0].isdigit()


class Verifying:
    """Questions whose answer is true or not, and that change nothing."""

    @pytest.mark.parametrize(
        ("value", "held"), [("1 = 1", True), ("1", True), ("1 = 2", False), ("0", False)]
    )
    def test_true_and_false(self, site: ChangeSite, value: str, held: bool) -> None:
        """The one value decides."""
        with begun(site) as session:
            assert session.verify(step(f"SELECT {value}")) is held

    def test_unknown_is_not_true(self, site: ChangeSite) -> None:
        """NULL is no yes."""
        with begun(site) as session:
            assert session.verify(step("SELECT 1 = NULL")) is False

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT code FROM {ward}",
            "SELECT 1 FROM {ward} WHERE code = 'nobody'",
            "SELECT 1, 1",
            "SELECT 'maybe'",
            "SELECT 2",
            "DELETE FROM {ward}",
        ],
    )
    def test_other_forms_are_refused(self, site: ChangeSite, query: str) -> None:
        """Several rows, none, several columns, another value, no query: the form is refused."""
        hospital(site)
        with begun(site) as session:
            with pytest.raises(Refused) as caught:
                session.verify(step(query.format(ward=site.full("ward")), line=7))
            assert "line 7" in caught.value.message
            assert caught.value.code == "verify-form"
            assert session.counts()[site.table("ward")] == 2

    def test_it_sees_the_change_and_leaves_it(self, site: ChangeSite) -> None:
        """It reads what the transaction has made, which can be committed afterwards."""
        hospital(site)
        with begun(site) as session:
            session.run(add_phone(site))
            query = f"SELECT count(phone) = 0 FROM {site.full('ward')}"
            assert session.verify(step(query)) is True
            session.commit()
        with reading(site) as session:
            assert session.verify(step(query)) is True

    def test_a_question_that_fails_leaves_the_transaction(self, site: ChangeSite) -> None:
        """A query that cannot run is said by its line; what was changed before still stands."""
        hospital(site)
        with begun(site) as session:
            session.run(add_phone(site))
            with pytest.raises(Failed) as caught:
                session.verify(step(f"SELECT {site.full('nobody')}.x = '{CANARY}'", line=9))
            assert caught.value.code == "change-step"
            assert "line 9" in caught.value.message
            assert CANARY not in caught.value.message
            session.commit()
        with reading(site) as session:
            assert site.column("ward", "phone") in session.schema().objects


class Settling:
    """Deferred constraints."""

    def test_nothing_is_wrong(self, site: ChangeSite) -> None:
        """A sound change settles in silence, inside a transaction and outside of one."""
        hospital(site)
        with begun(site) as session:
            session.run(add_phone(site))
            assert session.settle() == ()
            session.commit()
            assert session.settle() == ()

    def test_rows_without_parents_are_noticed(self, site: ChangeSite) -> None:
        """A deferred foreign key that does not hold is an error, or a sentence, without values."""
        hospital(site)
        with begun(site) as session:
            session.run(step(f"INSERT INTO {site.full('visit')} VALUES (9, '{CANARY}')"))
            try:
                said = session.settle()
            except Failed as error:
                said = (error.message,)
        assert said
        assert "visit" in said[0]
        assert not any(CANARY in each for each in said)


class KeepingApart:
    """One database, one change at a time, and readers that change nothing."""

    def test_the_right_database(self, site: ChangeSite) -> None:
        """A session of the identity that was judged opens; one of another is refused."""
        identity = site.engine.identity()
        assert identity == site.engine.identity()
        with site.engine.session(order(identity=identity)):
            pass
        with pytest.raises(Refused) as caught, site.engine.session(order(identity="another/1")):
            pass
        assert caught.value.code == "change-database"
        assert "c-1" in caught.value.message

    def test_one_change_at_a_time(self, site: ChangeSite) -> None:
        """Whoever holds the work keeps others out through COMMIT and ROLLBACK, until it ends."""
        hospital(site)
        with site.engine.session(order()) as session:
            session.hold_work()
            for end in (session.commit, session.rollback):
                session.begin()
                end()
                with site.engine.session(order(work="c-2")) as other:
                    with pytest.raises(Unreachable) as caught:
                        other.hold_work()
                assert caught.value.code == "change-running"
        with site.engine.session(order()) as session:
            session.hold_work()

    def test_holding_hinders_no_reader(self, site: ChangeSite) -> None:
        """Schema, counts and journal can be read meanwhile."""
        hospital(site)
        with site.engine.session(order()) as session:
            session.hold_work()
            with reading(site) as other:
                assert other.counts() == {site.table("ward"): 2, site.table("visit"): 3}
                assert site.table("ward") in other.schema().objects
                assert other.journal() == ()

    def test_a_reading_session_changes_nothing(self, site: ChangeSite) -> None:
        """Neither a step nor a note of the journal gets through."""
        hospital(site)
        with reading(site) as session:
            before = session.schema()
        with reading(site) as session, pytest.raises(Refused) as caught:
            _try(session, site)
        assert caught.value.code == "read-only"
        with reading(site) as session:
            assert session.schema() == before

    def test_somebody_else_holds_the_lock(self, site: ChangeSite) -> None:
        """The step gives up in time, nothing is changed, and the session can try again."""
        hospital(site)
        with site.engine.session(order()) as session:
            with site.holding("ward"):
                began = time.monotonic()
                with pytest.raises(LockTimeout):
                    _try(session, site)
                assert time.monotonic() - began < WAIT.total_seconds() + 2
                session.rollback()
            _try(session, site)
            session.commit()
            assert site.column("ward", "phone") in session.schema().objects


def _try(session: ChangeSession, site: ChangeSite) -> None:
    session.begin()
    session.run(add_phone(site))
