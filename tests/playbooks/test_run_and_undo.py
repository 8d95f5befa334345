"""Each playbook on each engine: it repairs, it is taken back, and what is wrong is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dbops.crypto.age import Identity
from dbops.errors import Refused
from dbops.repair.bundles import BundlePlace
from dbops.repair.manifest import UndoOf
from dbops.repair.report import RunReport
from dbops.repair.run import run_repair
from dbops.repair.run_order import RunOrder, UndoOrder
from dbops.repair.undo import undo_repair
from tests.engines.postgresql.repair_database import PgSite, pg_site
from tests.engines.repair_site import Site
from tests.engines.sqlite.repairs import SqliteSite
from tests.fix_postgresql import PgServer
from tests.playbooks.case import Case
from tests.playbooks.cases import CASES

RUNNER = Identity.generate()


@pytest.fixture(scope="module")
def postgresql(pg15: PgServer) -> Iterator[PgSite]:
    """A database for all tests here."""
    with pg_site(pg15) as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """An empty database of each engine in turn."""
    if request.param == "sqlite":
        (tmp_path / "his.db").touch()
        return SqliteSite(tmp_path / "his.db")
    found = request.getfixturevalue("postgresql")
    assert isinstance(found, PgSite)
    found.reset()
    return found


def prepare(case: Case, site: Site) -> None:
    """The hospital is there, and a repair may write and read what the playbook does."""
    site.run(*case.schema)
    site.prepare(*case.writes)
    if isinstance(site, PgSite):
        for table in case.reads:
            site.run(f"GRANT SELECT ON {table} TO {site.engine.repair_role}")


def looked(case: Case, site: Site) -> list[list[tuple[object, ...]]]:
    """What is to be seen now."""
    return [site.rows(query) for query in case.look]


def run(
    case: Case, site: Site, directory: Path, changed: Mapping[str, str] | None = None
) -> RunReport:
    """The playbook was instantiated and run."""
    changed = changed or {}
    settings = {name: value for name, value in changed.items() if name not in case.sealed}
    sealed = {name: value for name, value in changed.items() if name in case.sealed}
    repair, script = case.repair(settings)
    order = RunOrder(
        repair=repair,
        script=tuple(script),
        payload=case.payload(sealed),
        plan="a" * 64,
        run="1" * 32,
        database="his",
        identity=site.engine.identity(),
        recipients=(RUNNER.recipient,),
        key="5" * 64,
        scratch=directory,
    )
    return run_repair(order, site.engine, BundlePlace(directory), lambda _stage: None)


def undo(case: Case, site: Site, directory: Path, sha256: str) -> RunReport:
    """The run was taken back."""
    place = BundlePlace(directory)
    repair, _script = case.repair()
    order = UndoOrder(
        repair=replace(
            repair,
            id=f"{repair.id}-undo",
            undo_of=UndoOf(repair.id, (sha256,)),
            watches=(),
            before=(),
            after=(),
            parameters={},
            playbook=None,
        ),
        plan="b" * 64,
        run="2" * 32,
        database="his",
        identity=site.engine.identity(),
        recipients=(RUNNER.recipient,),
        key="6" * 64,
    )
    bundle = place.open(place.find(sha256), (RUNNER,), sha256)
    return undo_repair(order, [bundle], site.engine, place, lambda _stage: None)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_repairs_and_is_taken_back(case: Case, site: Site, tmp_path: Path) -> None:
    """Exactly the rows that are wrong change, and an undo leaves no trace in them."""
    prepare(case, site)
    before, after = zip(*case.look.values(), strict=True)
    assert looked(case, site) == list(before)
    report = run(case, site, tmp_path)
    assert looked(case, site) == list(after)
    undone = undo(case, site, tmp_path, report.sha256)
    assert looked(case, site) == list(before)
    assert report.rows == undone.rows == sum(each.counted.total for each in report.tables)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_wrong_is_refused(case: Case, site: Site, tmp_path: Path) -> None:
    """Another count, or a row that is not what the author takes it for: then nothing changes.

    All of it on SQLite, which is fast, and the first of each on PostgreSQL.
    """
    wrong = list(case.wrong if isinstance(site, SqliteSite) else case.wrong[:1])
    prepare(case, site)
    before = looked(case, site)
    found = []
    for changed, _code in wrong:
        with pytest.raises(Refused) as caught:
            run(case, site, tmp_path, changed)
        found.append((changed, caught.value.code))
    assert found == wrong
    assert looked(case, site) == before
    assert list(tmp_path.glob("*.age")) == []
