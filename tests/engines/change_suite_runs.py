"""What every change engine must do with steps and with its journal (see `change_suite`)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.change.ports import Progress
from dbops.change.step import Direction
from dbops.errors import DbopsError, Failed, Refused
from tests.engines.change_suite_site import (
    CANARY,
    ChangeSite,
    add_phone,
    begun,
    entry,
    hospital,
    journal_of,
    order,
    reading,
    step,
)

CONTROL = [
    "BEGIN",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT s",
    "RELEASE SAVEPOINT s",
    "/* so */ commit",
    "-- so\n  RollBack",
]


class Running:
    """Steps inside a transaction."""

    def test_what_is_committed_stays(self, site: ChangeSite) -> None:
        """Steps take place one after the other, each with the time that it took."""
        hospital(site)
        with begun(site) as session:
            first = session.run(add_phone(site))
            second = session.run(step(f"UPDATE {site.full('ward')} SET phone = 'none'", 2))
            session.commit()
        assert first.seconds >= 0
        assert second.seconds >= 0
        assert site.rows(f"SELECT DISTINCT phone FROM {site.full('ward')}") == [("none",)]

    def test_what_is_rolled_back_does_not(self, site: ChangeSite) -> None:
        """Schema and rows are as they were, and the session can begin again."""
        hospital(site)
        with begun(site) as session:
            before = session.schema()
            session.run(add_phone(site))
            session.run(step(f"CREATE TABLE {site.full('later')} (id integer)", 2))
            session.run(step(f"DELETE FROM {site.full('visit')}", 3))
            session.rollback()
            assert session.schema() == before
            session.begin()
            assert session.counts()[site.table("visit")] == 3
            session.run(add_phone(site))
            session.commit()

    def test_nothing_is_left_without_commit(self, site: ChangeSite) -> None:
        """A session whose context ends, or that an error leaves, is rolled back."""
        hospital(site)
        with begun(site) as session:
            before = session.schema()
            session.run(add_phone(site))
        with pytest.raises(KeyError):
            _leave_by_an_error(site)
        with reading(site) as session:
            assert session.schema() == before

    def test_a_step_that_fails(self, site: ChangeSite) -> None:
        """It is said by its number and line, without a value; nothing of the part is left."""
        hospital(site)
        with begun(site) as session:
            before = session.schema()
            session.run(add_phone(site))
            twice = f"INSERT INTO {site.full('ward')} (code) VALUES ('{CANARY}'), ('{CANARY}')"
            with pytest.raises(Failed) as caught:
                session.run(step(twice, 2, line=14))
            session.rollback()
            assert session.schema() == before
        assert caught.value.code == "change-step"
        assert "step 2 at line 14" in caught.value.message
        assert CANARY not in f"{caught.value.message} {caught.value.hint}"

    @pytest.mark.parametrize("sql", ["CREATE TABLE", "ALTER TABLE {nobody} ADD COLUMN x integer"])
    def test_a_step_that_cannot_run(self, site: ChangeSite, sql: str) -> None:
        """What the server cannot read, or an object that is not there, fails the step."""
        with begun(site) as session, pytest.raises(Failed) as caught:
            session.run(step(sql.format(nobody=site.full("nobody"))))
        assert caught.value.code == "change-step"

    @pytest.mark.parametrize("sql", CONTROL)
    def test_transaction_control_is_refused(self, site: ChangeSite, sql: str) -> None:
        """A script neither ends its transaction nor nests another; what was done is undone."""
        hospital(site)
        with begun(site) as session:
            session.run(add_phone(site))
            with pytest.raises(Refused) as caught:
                session.run(step(sql, 2))
        assert caught.value.code == "transaction-control"
        with reading(site) as session:
            assert site.column("ward", "phone") not in session.schema().objects

    def test_a_step_is_one_statement(self, site: ChangeSite) -> None:
        """Of two statements in one step neither takes place."""
        hospital(site)
        visit = site.full("visit")
        with begun(site) as session, pytest.raises(DbopsError):
            session.run(step(f"DELETE FROM {visit} WHERE id = 1; DELETE FROM {visit}"))
        assert site.rows(f"SELECT count(*) FROM {visit}") == [(3,)]

    def test_nothing_runs_without_a_transaction(self, site: ChangeSite) -> None:
        """Before BEGIN and behind COMMIT a step is refused."""
        hospital(site)
        with site.engine.session(order()) as session:
            with pytest.raises(Refused) as before:
                session.run(add_phone(site))
            session.begin()
            session.commit()
            with pytest.raises(Refused) as behind:
                session.run(add_phone(site))
            with pytest.raises(Refused) as twice:
                session.commit()
        assert {one.value.code for one in (before, behind, twice)} == {"transaction-lost"}
        with reading(site) as session:
            assert site.column("ward", "phone") not in session.schema().objects

    def test_ordinary_steps_need_not_stand_alone(self, site: ChangeSite) -> None:
        """They run inside a transaction where the engine has transactions for them."""
        assert site.engine.is_alone(add_phone(site)) is not site.engine.traits.transactional_ddl


class Journalling:
    """The rows of `dbops_change`."""

    def test_there_is_none_at_first(self, site: ChangeSite) -> None:
        """A reading session finds it empty and makes nothing."""
        assert journal_of(site) == ()
        with site.engine.session(order()) as session:
            assert session.journal() == ()
        assert journal_of(site) == ()

    def test_entries_are_read_as_they_were_noted(self, site: ChangeSite) -> None:
        """In their order, every field as it was, and numbered upwards."""
        noted = (
            entry(1, progress=Progress.BEGAN),
            entry(1),
            entry(2, name="改 \"ward\"; -- %s 'x' $1", run="r-2", plan="q"),
            entry(1, direction=Direction.DOWN),
        )
        with site.engine.session(order()) as session:
            session.note(noted[:2])
            session.note(noted[2:])
            session.note(())
        found = journal_of(site)
        assert tuple(replace(one, sequence=0) for one in found) == noted
        numbers = [one.sequence for one in found]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > 0

    def test_a_note_is_part_of_its_transaction(self, site: ChangeSite) -> None:
        """It goes with a rollback and stays with a commit; outside of one it stays at once."""
        hospital(site)
        with site.engine.session(order()) as session:
            session.begin()
            session.note([entry(1)])
            session.rollback()
            assert journal_of(site) == ()
            session.note([entry(2)])
            assert [one.step for one in journal_of(site)] == [2]
            session.begin()
            session.run(add_phone(site))
            session.note([entry(3)])
            assert [one.step for one in session.journal()] == [2, 3]
            session.commit()
        assert [one.step for one in journal_of(site)] == [2, 3]

    def test_a_table_of_another_form_is_refused(self, site: ChangeSite) -> None:
        """What somebody made by hand under the journal's name is neither written nor believed."""
        site.spoil_journal()
        with pytest.raises(Refused) as caught, site.engine.session(order()):
            pass
        assert caught.value.code == "change-journal"
        with reading(site) as session, pytest.raises(Refused) as caught:
            session.journal()
        assert caught.value.code == "change-journal"

    def test_a_reading_session_notes_nothing(self, site: ChangeSite) -> None:
        """The journal is written by sessions that may write."""
        with site.engine.session(order()):
            pass
        with reading(site) as session, pytest.raises(Refused) as caught:
            session.note([entry(1)])
        assert caught.value.code == "read-only"
        assert journal_of(site) == ()


def _leave_by_an_error(site: ChangeSite) -> None:
    with begun(site) as session:
        session.run(add_phone(site))
        raise KeyError
