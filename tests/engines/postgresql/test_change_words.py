"""Which statements PostgreSQL runs only outside of a transaction, and what they are about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.engines.postgresql.change_words import (
    Alone,
    Named,
    Target,
    alone_kind,
    place,
    refuse_control,
    target_of,
)
from dbops.errors import Failed, Refused
from tests.engines.change_suite_site import step

VISIT = Named("his", "visit")
INDEX = Named("his", "visit_ix")


@pytest.mark.parametrize(
    ("sql", "target"),
    [
        (
            "CREATE INDEX CONCURRENTLY visit_ix ON his.visit (ward)",
            Target(Alone.CREATE_INDEX, INDEX, VISIT),
        ),
        (
            "create /* now */ unique index concurrently\n -- so\n if not exists Visit_IX\n"
            ' ON ONLY "his" . "visit" USING btree (ward) WHERE ward <> \'CONCURRENTLY;\'',
            Target(Alone.CREATE_INDEX, INDEX, VISIT),
        ),
        (
            'CREATE INDEX CONCURRENTLY "就诊 ""a.b""" ON his."Visit" (ward)',
            Target(Alone.CREATE_INDEX, Named("his", '就诊 "a.b"'), Named("his", "Visit")),
        ),
        ("DROP INDEX CONCURRENTLY IF EXISTS his.visit_ix", Target(Alone.DROP_INDEX, INDEX)),
        (
            "REINDEX INDEX CONCURRENTLY his.visit_ix",
            Target(Alone.REINDEX, INDEX, scope="INDEX"),
        ),
        (
            "REINDEX (VERBOSE, CONCURRENTLY) TABLE his.visit",
            Target(Alone.REINDEX, VISIT, scope="TABLE"),
        ),
        ("REINDEX SCHEMA his", Target(Alone.REINDEX, Named("", "his"), scope="SCHEMA")),
        (
            "REINDEX DATABASE CONCURRENTLY clinic",
            Target(Alone.REINDEX, Named("", ""), scope="DATABASE"),
        ),
        (
            "ALTER TABLE IF EXISTS his.visit DETACH PARTITION his.visit_2020 CONCURRENTLY",
            Target(Alone.DETACH, Named("his", "visit_2020"), VISIT),
        ),
        ("VACUUM (ANALYZE) his.visit (ward)", Target(Alone.VACUUM, VISIT)),
        ("VACUUM FULL VERBOSE his.visit", Target(Alone.VACUUM, VISIT, scope="FULL")),
        ("VACUUM (FULL, ANALYZE) his.visit", Target(Alone.VACUUM, VISIT, scope="FULL")),
        ("VACUUM", Target(Alone.VACUUM, Named("", ""))),
    ],
)
def test_statements_that_stand_alone(sql: str, target: Target) -> None:
    """They are told by their words, and their objects are read as the catalogue spells them."""
    assert alone_kind(step(sql)) is target.kind
    assert target_of(step(sql)) == target


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX visit_ix ON his.visit (ward)",
        "CREATE INDEX ON his.visit (ward) WHERE ward = 'CONCURRENTLY'",
        'CREATE INDEX "CONCURRENTLY" ON his.visit (ward)',
        "DROP INDEX his.visit_ix",
        "REINDEX TABLE his.visit",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY his.wards",
        "ALTER TABLE his.visit DETACH PARTITION his.visit_2020",
        "ALTER TABLE his.visit DETACH PARTITION his.visit_2020 FINALIZE",
        "ALTER TYPE his.kind ADD VALUE 'new'",
        "ALTER TABLE his.visit ADD COLUMN concurrently integer",
        "/* VACUUM */ ANALYZE his.visit",
    ],
)
def test_statements_that_need_not(sql: str) -> None:
    """All others run in a transaction, and cannot be asked to run alone."""
    assert alone_kind(step(sql)) is None
    with pytest.raises(Failed) as caught:
        target_of(step(sql))
    assert caught.value.code == "change-step"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "CREATE INDEX CONCURRENTLY ON his.visit (ward)",
            "step 1 at line 1: an index without a name could not be found again after a crash",
        ),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ON his.visit (ward)",
            "step 1 at line 1: an index without a name could not be found again after a crash",
        ),
        (
            "CREATE INDEX CONCURRENTLY visit_ix ON visit (ward)",
            "step 1 at line 1: visit stands without its schema",
        ),
        (
            "DROP INDEX CONCURRENTLY visit_ix",
            "step 1 at line 1: visit_ix stands without its schema",
        ),
        (
            "DROP INDEX CONCURRENTLY a.b.c",
            "step 1 at line 1: the name of its object cannot be read",
        ),
        (
            "CREATE INDEX CONCURRENTLY his.visit_ix his.visit (ward)",
            "step 1 at line 1: the name of its object cannot be read",
        ),
        (
            "ALTER TABLE his.visit DETACH PARTITION visit_2020 CONCURRENTLY",
            "step 1 at line 1: visit_2020 stands without its schema",
        ),
    ],
)
def test_objects_that_could_not_be_found_again(sql: str, said: str) -> None:
    """Without a name, or without its schema, nobody could look for what is left."""
    assert alone_kind(step(sql)) is not None
    with pytest.raises(Failed) as caught:
        target_of(step(sql))
    assert caught.value.message == said


@pytest.mark.parametrize("sql", ["SET LOCAL lock_timeout = 1", "SET CONSTRAINTS ALL IMMEDIATE"])
def test_settings_that_end_with_the_transaction(sql: str) -> None:
    """They may run."""
    refuse_control(step(sql))


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("SET lock_timeout = 0", "SET"),
        ("SET SESSION AUTHORIZATION other", "SET"),
        ("SET TRANSACTION READ ONLY", "SET"),
        ("RESET ALL", "RESET"),
        ("DISCARD ALL", "DISCARD"),
        ("PREPARE TRANSACTION 'x'", "PREPARE"),
        ("Start Transaction", "START"),
        ("ABORT", "ABORT"),
    ],
)
def test_settings_that_do_not(sql: str, word: str) -> None:
    """What outlives the transaction, or ends it, is refused."""
    with pytest.raises(Refused) as caught:
        refuse_control(step(sql))
    assert caught.value.message == (
        f"step 1 at line 1: {word} ends or nests the transaction, or outlives it"
    )


def test_copying_is_refused() -> None:
    """Rows come in with statements that the review can read."""
    with pytest.raises(Failed) as caught:
        refuse_control(step("COPY his.ward FROM STDIN"))
    assert caught.value.message == ("step 1 at line 1: a change cannot copy rows from or to a file")


MADE = ("CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", "visit_ix", "ON", "his", ".", "visit", "(")
BLANKS = st.sampled_from([" ", "\n", "\t", "/* DROP */", "-- ON x\n", " /*;*/ "])


@given(
    blanks=st.lists(BLANKS, min_size=len(MADE), max_size=len(MADE)),
    lower=st.lists(st.booleans(), min_size=len(MADE), max_size=len(MADE)),
)
def test_blanks_comments_and_case_mean_nothing(blanks: list[str], lower: list[bool]) -> None:
    """However a statement is laid out, it is the same statement."""
    words = [word.lower() if low else word for word, low in zip(MADE, lower, strict=True)]
    found = step("".join(map("".join, zip(blanks, words, strict=True))) + "ward)")
    assert target_of(found) == Target(Alone.CREATE_INDEX, INDEX, VISIT)


def test_the_place_of_an_error() -> None:
    """A character of the statement is a line of its script."""
    found = step("ALTER TABLE his.ward\n  ADD COLUMN\n  x nothing", 3, line=14)
    assert place(found) == "step 3 at line 14"
    assert place(found, "5") == "step 3 at line 14"
    assert place(found, "38") == "step 3 at line 14, in line 16"
