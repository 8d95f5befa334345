"""What every change engine says of the rows that steps write; each engine's tests inherit this."""

from __future__ import annotations

from dbops.change.ports import ChangeSession
from dbops.sql.written import Written
from tests.engines.change_suite_site import ChangeSite, begun, entry, hospital, step


def ran(session: ChangeSession, *steps: str) -> None:
    """The steps have run, one after the other."""
    for number, sql in enumerate(steps, 1):
        session.run(step(sql, number))


class Writing:
    """Rows inserted, updated and deleted, by table."""

    def test_the_rows_of_each_table_are_counted(self, site: ChangeSite) -> None:
        """By what was done to them, over all steps; a table without any is left out."""
        hospital(site)
        ward, visit = site.full("ward"), site.full("visit")
        with begun(site, measured=True) as session:
            assert session.written() == {}
            ran(
                session,
                f"INSERT INTO {ward} VALUES ('A', 'a'), ('B', 'b')",
                f"INSERT INTO {ward} SELECT 'C', 'c'",
                f"UPDATE {ward} SET name = 'x' WHERE code IN ('A', 'B')",
                f"DELETE FROM {ward} WHERE code = 'C'",
            )
            assert session.written() == {site.table("ward"): Written(3, 2, 1)}
            ran(session, f"DELETE FROM {visit}")
            assert session.written() == {
                site.table("ward"): Written(3, 2, 1),
                site.table("visit"): Written(0, 0, 3),
            }

    def test_a_transaction_counts_its_own_rows(self, site: ChangeSite) -> None:
        """Neither those of the one before, committed or not, nor dbops' own journal."""
        hospital(site)
        with begun(site, measured=True) as session:
            ran(session, f"UPDATE {site.full('visit')} SET ward = NULL")
            session.note([entry(1)])
            assert session.written() == {site.table("visit"): Written(0, 3, 0)}
            session.commit()
            session.begin()
            assert session.written() == {}
            ran(session, f"DELETE FROM {site.full('visit')} WHERE id = 1")
            session.rollback()
            session.begin()
            assert session.written() == {}

    def test_a_table_that_the_change_makes_counts(self, site: ChangeSite) -> None:
        """The rows that it is made of, and those that come; called as it is called at the end."""
        hospital(site)
        made = site.full("made")
        with begun(site, measured=True) as session:
            ran(
                session,
                f"CREATE TABLE {made} AS SELECT id FROM {site.full('visit')}",
                f"INSERT INTO {made} VALUES (7), (8)",
                f"ALTER TABLE {made} RENAME TO other",
            )
            assert session.written() == {site.table("other"): Written(5, 0, 0)}

    def test_a_table_in_place_of_another_counts_alone(self, site: ChangeSite) -> None:
        """What was written to the one that is gone is gone with it."""
        hospital(site)
        visit, made = site.full("visit"), site.full("made")
        with begun(site, measured=True) as session:
            ran(
                session,
                f"UPDATE {visit} SET ward = NULL",
                f"CREATE TABLE {made} (id integer, ward varchar(20))",
                f"INSERT INTO {made} SELECT id, ward FROM {visit} WHERE id > 1",
                f"DROP TABLE {visit}",
                f"ALTER TABLE {made} RENAME TO visit",
            )
            assert session.written() == {site.table("visit"): Written(2, 0, 0)}

    def test_only_a_rehearsal_counts(self, site: ChangeSite) -> None:
        """A run on the database itself is spared it."""
        hospital(site)
        with begun(site) as session:
            ran(session, f"DELETE FROM {site.full('visit')}")
            assert session.written() is None
