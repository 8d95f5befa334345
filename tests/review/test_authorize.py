"""The gate: what passes, and each thing that stops it, in the order in which it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dbops.audit.entry import DigestOf, Draft, Entry, Event, Label, Phase
from dbops.errors import DbopsError, NotFound, Refused, Unreachable
from dbops.review.authorize import (
    Authorization,
    AuthorizeOrder,
    authorize,
    only_run,
    see_statements,
)
from dbops.review.folder import find_work, read_work
from dbops.review.memory import Memory, remember
from dbops.review.statement import Decision
from dbops.review.work import Kind
from tests.fix_tools import require_root
from tests.review.desk import (
    DATABASE,
    FOLDER,
    ID,
    IDENTITY,
    NOW,
    POLICY,
    SIGNED,
    Desk,
    entries_of,
    made_desk,
    run_of,
    sha256,
)
from tests.support.ops_tree import protected_place

STATEMENTS = ("li.na@hospital", "wang.fang@site", "zhao.lei@hospital")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk whose work may run, under a policy marked demo."""
    made = made_desk(tmp_path)
    made.policy.write_text(f"demo = true\n{POLICY}")
    return made


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Desk]:
    """The same, with files that root alone can change, and no demo."""
    require_root("files that belong to root")
    with protected_place(tmp_path) as place:
        place.chmod(0o755)
        made = made_desk(place)
        made.policy.write_text(f"demo = false\n{POLICY}")
        yield made


def order_of(desk: Desk) -> AuthorizeOrder:
    """The order to run the desk's work."""
    return AuthorizeOrder(
        worktree=desk.tree.path,
        id=ID,
        kind=Kind.REPAIR,
        database=DATABASE,
        identity=IDENTITY,
        estate=desk.estate,
        trust=desk.trust,
        touched=(desk.place / "lab.sqlite",),
        euid=0,
    )


def ask(desk: Desk, order: AuthorizeOrder | None = None) -> Authorization:
    """The leave to run, as asked for now."""
    return authorize(
        order or order_of(desk), desk.read_policy(), desk.trust_root(), desk.memory, desk.now
    )


def fault(desk: Desk, order: AuthorizeOrder | None = None) -> DbopsError:
    """Why there is none."""
    with pytest.raises(DbopsError) as caught:
        ask(desk, order)
    return caught.value


class Lines:
    """A ledger in memory: what was appended."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def append(self, draft: Draft) -> Entry:
        """Keep the draft as an entry."""
        self.entries.append(entries_of(draft)[0])
        return self.entries[-1]


def test_what_everybody_agreed_to_may_run(desk: Desk) -> None:
    """The leave names the approvals to use up, the digest of the files, and the commit."""
    leave = ask(desk)
    texts = {sha256(desk.text_of(name)) for name in STATEMENTS}
    assert set(leave.approvals) == texts
    assert leave.plan == leave.work.plan
    assert leave.commit == desk.tree.git("rev-parse", "HEAD")
    assert leave.manifest.databases == (DATABASE,)
    assert not leave.break_glass


def test_roots_files_need_no_demo(guarded: Desk) -> None:
    """With everything root's along its path, the same work may run, on a server too."""
    order = replace(order_of(guarded), touched=None)
    assert len(ask(guarded, order).approvals) == 3


@pytest.mark.parametrize("name", ["trust", "trust/policy.toml", "trust/revoked", "dbops.toml", "."])
def test_who_can_change_the_rules_gets_no_leave(guarded: Desk, name: str) -> None:
    """Trust root and estate file are asked about before anything of the folder is."""
    (guarded.trust / "revoked").touch()
    path = guarded.place / name
    path.chmod(path.stat().st_mode | 0o002)
    guarded.write("repair.sql", "edited as well\n")
    assert fault(guarded).code == "trust-writable"


def test_an_estate_that_the_engineer_wrote_is_refused(guarded: Desk) -> None:
    """An estate file in the work tree points an alias anywhere, or names a command."""
    planted = guarded.tree.path / "dbops.toml"
    planted.write_text('[databases.lab]\npassword = { command = ["id"] }\n')
    order = replace(order_of(guarded), estate=planted)
    assert fault(guarded, order).code == "trust-inside-worktree"
    order = replace(order_of(guarded), protected=(guarded.tree.path / "recipients",))
    assert fault(guarded, order).code == "trust-inside-worktree"
    assert fault(guarded, replace(order_of(guarded), euid=1000)).code == "trust-personal"


def test_a_demo_reaches_no_further_than_its_directory(desk: Desk, tmp_path: Path) -> None:
    """Neither a server nor a file elsewhere is written to under rules that anybody can change."""
    found = fault(desk, replace(order_of(desk), touched=None))
    assert found.code == "demo-outside"
    assert found.message == f"the policy is marked demo, and {ID} writes to a server"
    for elsewhere in (
        replace(order_of(desk), touched=(tmp_path.parent / "lab.sqlite",)),
        replace(order_of(desk), estate=tmp_path / "trust/dbops.toml"),
        replace(order_of(desk), trust=tmp_path.parent),
    ):
        assert fault(desk, elsewhere).code == "demo-outside"


def test_one_byte_stops_it(desk: Desk) -> None:
    """An edit is refused by git first, and once committed by every signature."""
    desk.edit("repair.sql", "OLD", "OLE")
    assert fault(desk).code == "work-dirty"
    desk.tree.commit()
    found = fault(desk)
    assert isinstance(found, Refused)
    assert found.code == "file-changed"
    assert found.message.startswith(
        f"{ID} may not run: {FOLDER}/approvals/wang.fang@site.txt: repair.sql was changed after it"
        " was signed (and "
    )
    assert found.hint == f"dbops review show {ID}"


def test_one_reason_is_not_counted(desk: Desk) -> None:
    """A single reason stands alone."""
    desk.remove("zhao.lei@hospital")
    desk.tree.commit()
    found = fault(desk)
    assert (found.code, found.message) == (
        "approval-missing",
        f"{ID} may not run: 1 more approval of it-department missing (1 so far)",
    )


def test_approvals_are_committed_too(desk: Desk) -> None:
    """A statement that git does not have yet is not used."""
    desk.sign("li.laptop@hospital")
    assert fault(desk).code == "work-uncommitted"


def test_work_is_run_as_what_it_is(desk: Desk) -> None:
    """An id of another kind, another database and an unknown identity are refused."""
    order = order_of(desk)
    assert fault(desk, replace(order, kind=Kind.RESTORE)).code == "work-kind"
    assert fault(desk, replace(order, database="ris")).code == "database-not-named"
    assert fault(desk, replace(order, identity="sqlite:0:lab")).code == "database-identity"
    assert fault(desk, replace(order, identity=None)).code == "database-unidentified"
    assert isinstance(fault(desk, replace(order, id="2026-118")), NotFound)


def test_an_approval_is_for_one_run(desk: Desk) -> None:
    """Once a run began whose end nobody knows, the approvals are used up."""
    desk.memory = remember(entries_of(run_of(desk)))
    assert fault(desk).code == "approval-consumed"


def test_statements_are_recorded_once(desk: Desk) -> None:
    """The first look records who said what of which revision, the second nothing."""
    ledger = Lines()
    work = ask(desk).work
    policy, trust = desk.read_policy(), desk.trust_root()
    memory = see_statements(work, policy, Memory(), ledger, trust, NOW)
    drafts = [entry.draft for entry in ledger.entries]
    assert [draft.names[Label.PRINCIPAL] for draft in drafts] == list(STATEMENTS)
    assert {draft.digests[DigestOf.PLAN] for draft in drafts} == {work.plan}
    assert {(draft.event, draft.phase, draft.work) for draft in drafts} == {
        (Event.REVIEW_SEEN, Phase.RECORD, ID)
    }
    assert remember(ledger.entries) == memory
    assert see_statements(work, policy, memory, ledger, trust, NOW) == memory
    assert len(ledger.entries) == 3


def test_what_nobody_said_is_not_recorded(desk: Desk) -> None:
    """A forged statement does not enter the ledger in somebody's name."""
    desk.write("approvals/li.na@hospital.txt", desk.text_of("li.na@hospital") + b"\n")
    desk.tree.commit()
    ledger = Lines()
    assert fault(desk).code.startswith("statement-")
    work = read_work(desk.tree.path, find_work(desk.tree.path, ID))
    see_statements(work, desk.read_policy(), Memory(), ledger, desk.trust_root(), NOW)
    names = [entry.draft.names[Label.PRINCIPAL] for entry in ledger.entries]
    assert names == ["wang.fang@site", "zhao.lei@hospital"]


def test_a_rejection_that_was_seen_cannot_be_taken_away(desk: Desk) -> None:
    """The ledger remembers it when the folder does not."""
    later = SIGNED + timedelta(minutes=1)
    desk.sign("li.laptop@hospital", Decision.REJECT, lambda said: replace(said, signed_at=later))
    desk.tree.commit()
    assert fault(desk).code == "rejected"
    work = read_work(desk.tree.path, find_work(desk.tree.path, ID))
    desk.memory = see_statements(
        work, desk.read_policy(), Memory(), Lines(), desk.trust_root(), NOW
    )
    desk.remove("li.laptop@hospital")
    desk.remove("li.na@hospital")
    desk.tree.commit()
    assert fault(desk).code == "rejection-removed"


def test_a_broken_glass_gives_leave_and_says_so(desk: Desk) -> None:
    """The run knows that it has to be reviewed after."""
    for name in ("li.na@hospital", "zhao.lei@hospital"):
        desk.remove(name)
    desk.break_glass("sun.jie@hospital")
    desk.tree.commit()
    leave = ask(desk)
    assert leave.break_glass
    assert len(leave.approvals) == 2


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """Two runs would both find the approvals unused."""
    with only_run(tmp_path, ID), pytest.raises(Unreachable) as caught, only_run(tmp_path, ID):
        pass
    assert (caught.value.code, caught.value.message) == (
        "work-running",
        f"{ID} is being run already",
    )
    with only_run(tmp_path, ID), only_run(tmp_path, "2026-118"):
        pass
    with pytest.raises(Refused), only_run(tmp_path, "../x"):
        pass
