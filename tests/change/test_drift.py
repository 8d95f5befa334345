"""Whether a database is as it was recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.change.drift import TOLD, drift, listed, refuse_drift, told
from dbops.change.schema import ObjectKind, ObjectName, Schema, SchemaObject, schema_of
from dbops.errors import ExitStatus, Refused
from tests.change.bench import Bench


def table(name: str, **properties: str) -> SchemaObject:
    """A table."""
    return SchemaObject(ObjectName(ObjectKind.TABLE, ("his", name)), properties)


def test_a_database_that_nobody_changed(bench: Bench) -> None:
    """Two readings of the same database are the same."""
    assert drift(bench.schema(), bench.schema()) == ()


def test_what_somebody_did_by_hand(bench: Bench) -> None:
    """Each object that is another, gone or new is one difference, and is said in words."""
    baseline = bench.schema()
    bench.site.run(bench.say("CREATE TABLE {bed} (n integer)"), bench.say("DROP VIEW {open_visit}"))
    found = drift(baseline, bench.schema())
    titles = {each.name.title for each in found}
    assert {f"table {bench.say('{bed}')}", f"view {bench.say('{open_visit}')}"} <= titles
    assert f"view `{bench.say('{open_visit}')}` is gone" in told(found)


def test_unknown_objects_are_no_equality() -> None:
    """Where either has objects that nobody can compare, equal would be a guess."""
    plain, other = schema_of([]), Schema({}, ("operator his.=@=",))
    for baseline, live in ((plain, other), (other, plain), (other, other)):
        with pytest.raises(Refused) as caught:
            drift(baseline, live, "lab")
        assert caught.value.code == "schema-unknown"
        assert "lab has objects" in caught.value.message


def test_places_that_follow_from_a_column_are_not_told_beside_it() -> None:
    """A column that came by hand before others is one difference; alone, another order is one."""

    def columns(*names: str) -> Schema:
        one = table("visit")
        own = [
            SchemaObject(
                ObjectName(ObjectKind.COLUMN, ("his", "visit", name)),
                {"position": str(place)},
                one.name,
            )
            for place, name in enumerate(names, start=1)
        ]
        return schema_of([one, *own])

    found = drift(columns("a", "b"), columns("a", "by_hand", "b"))
    assert [each.name.written for each in found] == ["his.visit.by_hand"]
    found = drift(columns("a", "b"), columns("b", "a"))
    assert [each.name.written for each in found] == ["his.visit.a", "his.visit.b"]


def test_a_text_of_an_older_dbops_is_no_drift() -> None:
    """What was not compared when the schema was recorded is said to be that, and what to do."""
    recorded = Schema({}, tuple(f"collation his.c{number}" for number in range(6)))
    with pytest.raises(Refused) as caught:
        refuse_drift("c-1", "lab", recorded, schema_of([]))
    assert (caught.value.code, caught.value.message) == (
        "schema-unknown",
        "lab has objects that were not compared when its schema was recorded: collation his.c0,"
        " collation his.c1, collation his.c2, collation his.c3, collation his.c4 (and 1 more)",
    )
    assert caught.value.hint == (
        "have it recorded by this dbops: take a new backup, verify it and rehearse again, or"
        " dbops change record lab; what is named then again cannot be judged"
    )


def test_a_refusal_counts_all_and_lists_twenty() -> None:
    """However much differs, the message stays readable."""
    live = schema_of([table(f"t{number:02}") for number in range(25)])
    with pytest.raises(Refused) as caught:
        refuse_drift("c-1", "lab", schema_of([]), live)
    assert caught.value.status is ExitStatus.REFUSED
    assert caught.value.message.startswith(
        "lab is not as c-1 was rehearsed on: 25 differences: table `his.t00` is new; "
    )
    assert caught.value.message.endswith("; table `his.t19` is new (and 5 more)")
    assert caught.value.hint == (
        "take a new backup, verify it and rehearse again, or bring the database back"
    )


def test_what_fits_is_listed_whole() -> None:
    """Nothing is said to be left out where nothing is."""
    assert listed([str(number) for number in range(TOLD)]).endswith("; 19")


def test_equal_is_not_refused() -> None:
    """The same objects are no drift."""
    refuse_drift("c-1", "lab", schema_of([table("a")]), schema_of([table("a")]))


@pytest.mark.parametrize("kind", ObjectKind, ids=lambda kind: kind.value)
def test_one_object_of_any_kind_is_drift(kind: ObjectKind) -> None:
    """New, gone or with another comment, and nothing else: a run is refused, and why is said."""
    plain = SchemaObject(ObjectName(kind, ("his", "thing")), {"owner": "his"})
    said = replace(plain, properties={"owner": "his", "comment": "x"})
    for source, live, ending in (
        ([], [plain], " is new"),
        ([plain], [], " is gone"),
        ([plain], [said], ": comment: none → x"),
    ):
        with pytest.raises(Refused) as caught:
            refuse_drift("c-1", "lab", schema_of(source), schema_of(live))
        assert (caught.value.code, caught.value.status) == ("change-drift", ExitStatus.REFUSED)
        begins = f"lab is not as c-1 was rehearsed on: 1 difference: {kind.value} `"
        assert caught.value.message.startswith(begins)
        assert caught.value.message.endswith(ending)
