"""The journal of changes in PostgreSQL: its form, its rows, and many sessions that make it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from dbops.errors import Refused
from tests.engines.change_suite_site import entry, journal_of, order, step
from tests.engines.postgresql.change_database import PgChangeSite


@pytest.fixture
def site(pg_change_empty: PgChangeSite) -> PgChangeSite:
    """It is empty."""
    return pg_change_empty


SPOILED = [
    "CREATE TRIGGER t BEFORE INSERT ON dbops.dbops_change FOR EACH ROW EXECUTE FUNCTION"
    " suppress_redundant_updates_trigger()",
    "CREATE RULE r AS ON INSERT TO dbops.dbops_change DO ALSO NOTHING",
    "ALTER TABLE dbops.dbops_change ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE dbops.dbops_change SET UNLOGGED",
    "ALTER TABLE dbops.dbops_change ADD COLUMN more text",
    "ALTER TABLE dbops.dbops_change ALTER COLUMN run DROP NOT NULL",
    "ALTER TABLE dbops.dbops_change ALTER COLUMN name TYPE varchar(3)",
    "ALTER TABLE dbops.dbops_change ALTER COLUMN name SET DEFAULT 'x'",
    "ALTER TABLE dbops.dbops_change ADD CHECK (step < 3)",
    "CREATE INDEX i ON dbops.dbops_change (work)",
    "CREATE TABLE dbops.child () INHERITS (dbops.dbops_change)",
    "ALTER TABLE dbops.dbops_change DROP CONSTRAINT dbops_change_pkey",
    "ALTER TABLE dbops.dbops_change ALTER COLUMN sequence DROP IDENTITY",
    "DROP TABLE dbops.dbops_change; CREATE VIEW dbops.dbops_change AS SELECT 1 AS step",
]


def test_a_journal_that_somebody_touched(site: PgChangeSite) -> None:
    """Whatever could change what is written, or hide it, is refused by readers and writers."""
    refused = (
        f"dbops.dbops_change in database {site.database.name} is not the table that dbops makes:"
        " other columns, or a trigger, rule, index, default or policy on it"
    )
    found = {}
    for spoil in SPOILED:
        with site.engine.session(order()):
            pass
        site.run(spoil)
        found[spoil] = (refusal(site, read_only=False), refusal(site, read_only=True))
        site.run("DROP SCHEMA dbops CASCADE")
    assert found == dict.fromkeys(SPOILED, (refused, refused))


def refusal(site: PgChangeSite, *, read_only: bool) -> str:
    """Why the journal is refused; nothing where it is not."""
    try:
        with site.engine.session(order(read_only=read_only)) as session:
            session.journal()
    except Refused as caught:
        return caught.message
    return ""


def test_a_row_that_dbops_does_not_write(site: PgChangeSite) -> None:
    """A word in the journal that is none of dbops' is said by its row."""
    with site.engine.session(order()) as session:
        session.note([entry(1)])
    site.run("UPDATE dbops.dbops_change SET progress = 'sideways'")
    with pytest.raises(Refused) as caught:
        journal_of(site)
    assert caught.value.message == (
        "row 1 of dbops.dbops_change says a direction or a progress that dbops does not write"
    )


def test_the_journal_says_who_and_when(site: PgChangeSite) -> None:
    """Each row has the login and the server's clock; the schema may be there already."""
    site.run("CREATE SCHEMA dbops")
    with site.engine.session(order()) as session:
        session.note([entry(1)])
    ((login, new),) = site.rows(
        "SELECT login, clock_timestamp() - at < interval '1 min' FROM dbops.dbops_change"
    )
    assert (login, new) == (site.database.server.superuser, True)


def test_many_sessions_make_one_journal(site: PgChangeSite) -> None:
    """Whoever comes second finds what the first one made."""

    def note(number: int) -> None:
        with site.engine.session(order(lock_wait=order().statement)) as session:
            session.hold_work()
            session.note([entry(number)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(note, range(1, 5)))
    assert sorted(one.step for one in journal_of(site)) == [1, 2, 3, 4]


@pytest.mark.parametrize("value", [1, 5000, 2**63 - 1])
def test_no_step_moves_the_numbers(site: PgChangeSite, value: int) -> None:
    """Entries go on in their order where a step sets the sequence, which no ROLLBACK takes back."""
    moves = step(f"SELECT pg_catalog.setval('dbops.dbops_change_sequence_seq', {value}, false)")
    with site.engine.session(order()) as session:
        session.hold_work()
        session.note([entry(1), entry(2)])
        session.begin()
        session.run(moves)
        session.note([entry(3), entry(4)])
        session.commit()
        session.begin()
        session.run(moves)
        session.rollback()
        session.note([entry(5)])
        noted = [(each.sequence, each.step) for each in session.journal()]
    assert noted == [(number, number) for number in range(1, 6)]


def test_a_journal_that_the_sequence_numbered(site: PgChangeSite) -> None:
    """Its entries stay, gaps and all, and new ones come behind them."""
    with site.engine.session(order()) as session:
        session.hold_work()
        session.note([entry(1)])
        copied = (
            "INSERT INTO dbops.dbops_change (run, work, plan, direction, step, name, sha256,"
            " progress, approval, at, login) SELECT run, work, plan, direction, 2, name, sha256,"
            " progress, approval, at, login FROM dbops.dbops_change"
        )
        site.run("SELECT setval('dbops.dbops_change_sequence_seq', 41)", copied)
        session.note([entry(3)])
        noted = [(each.sequence, each.step) for each in session.journal()]
    assert noted == [(1, 1), (42, 2), (43, 3)]
