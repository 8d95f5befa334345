"""What was agreed runs once; what was not, does not; and what a pipeline says of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from dbops.audit.entry import DigestOf, Effect, Event, Label, Phase
from dbops.audit.links import entries
from dbops.audit.segments import Segments
from dbops.cli.reviewing import authorize_or_refuse
from dbops.cli.wiring import Wiring
from dbops.errors import Refused
from dbops.estate.load import load_estate
from dbops.review.work import Kind
from tests.cli import changes
from tests.cli.ops import WORK, Ops, copy_ops, found_ops
from tests.fix_tools import require_root
from tests.support.ops_tree import protected_place
from tests.support.warm import shim

PIPELINES = Path(__file__).parents[2] / "docs" / "pipelines"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Ops:
    """An estate with persons and one backup."""
    return found_ops(tmp_path_factory.mktemp("gate") / "estate")


@pytest.fixture
def ops(founded: Ops, tmp_path: Path) -> Ops:
    """A copy of it."""
    return copy_ops(founded, tmp_path / "estate")


def restore(ops: Ops, *more: str, source: str = "example@1", to: str = "copy") -> Result:
    """Run the restore that the work asks for, or another one."""
    return ops.run("restore", "run", source, "--to", to, *more)


def refusal(text: str, hint: str) -> tuple[int, str]:
    return 5, f"error: {text}\nhint: {hint}\n"


def said(result: Result) -> tuple[int, str]:
    return result.exit_code, result.stderr


def state(ops: Ops) -> str:
    (found,) = json.loads(ops.review("list", "--json").stdout)["work"]
    assert bool(found["waits_for"]) == (found["state"] not in {"done", "approved"})
    return str(found["state"])


def test_what_was_agreed_runs_once(ops: Ops) -> None:
    """The second time the approval is used up; the work counts as done and check passes it by."""
    ops.agreed()
    result = restore(ops, "--review", WORK)
    assert result.exit_code == 0, result.output
    assert (ops.root / "copy.db").exists()
    assert state(ops) == "done"
    (ops.root / "copy.db").unlink()
    result = restore(ops, "--review", WORK)
    assert result.exit_code == 5
    assert "it was used for a run already, and is for one only" in result.stderr
    assert not (ops.root / "copy.db").exists()
    assert said(ops.review("check", "--all")) == (0, "no work to check\n")
    assert ops.review("check", WORK).stdout == (
        f"{WORK}: it was done; to do it again, have it requested again\n"
    )


def test_nothing_runs_without_approval(ops: Ops) -> None:
    """The hint says how to ask for one."""
    assert said(restore(ops)) == refusal(
        "the policy asks that a restore is approved first",
        "dbops review new restore --help; then run this again with --review ID",
    )


@pytest.mark.parametrize(
    ("more", "source", "differing"),
    [
        (("--table", "ward"), "example@1", 'no tables, not "ward"'),
        (("--overwrite", "copy"), "example@1", 'overwrite "no", not "yes"'),
        ((), "example", 'source "example@1", not "example"'),
    ],
)
def test_what_is_typed_is_what_was_agreed(
    ops: Ops, more: tuple[str, ...], source: str, differing: str
) -> None:
    """Another table, an overwriting, another source: each is other work."""
    ops.agreed()
    assert said(restore(ops, "--review", WORK, *more, source=source)) == refusal(
        f"{WORK} was approved with {differing}",
        f"type what it says: dbops review show {WORK}",
    )
    assert not (ops.root / "copy.db").exists()


def test_another_target_is_not_named(ops: Ops) -> None:
    """A path instead of the alias is another place."""
    ops.agreed()
    result = restore(ops, "--review", WORK, to="./other.db")
    assert result.exit_code == 5


def test_uncommitted_work_does_not_run(ops: Ops) -> None:
    """What runs can be found in the history."""
    ops.agreed()
    (ops.folder / "note.txt").write_text("x\n")
    result = restore(ops, "--review", WORK)
    assert result.exit_code == 5
    assert f"restores/{WORK}/note.txt is not committed" in result.stderr


def test_unknown_work(ops: Ops) -> None:
    """The hint shows what there is."""
    assert said(restore(ops, "--review", "2026-1")) == (
        10,
        "error: there is no work 2026-1\nhint: dbops review list\n",
    )


def break_glass(ops: Ops, person: str) -> None:
    """Afterwards the work was run on one signature."""
    ops.new()
    ops.sign("request", "wei")
    result = ops.sign("approve", person, "--break-glass", "--note", "夜间无人可联系")
    assert result.exit_code == 0, result.output
    ops.commit()
    result = restore(ops, "--review", WORK)
    assert result.exit_code == 0, result.output
    assert state(ops) == "unreviewed"


def test_the_glass_is_broken_and_reviewed(ops: Ops) -> None:
    """One signature runs it; the ordinary approval comes afterwards and is recorded."""
    break_glass(ops, "gu")
    assert said(ops.review("confirm", WORK)) == refusal(
        f"{WORK} was not reviewed by everybody yet: 1 more approval of it-department missing "
        "(0 so far)",
        f"have it approved as it was run: dbops review approve {WORK} --key KEY",
    )
    assert ops.sign("approve", "li").exit_code == 0
    ops.commit()
    assert ops.review("confirm", WORK).stdout == f"{WORK} was reviewed by li-na\n"
    assert state(ops) == "done"
    assert said(ops.review("confirm", WORK)) == (
        10,
        f"error: nothing of {WORK} was done by break-glass that waits for a review\n"
        "hint: dbops review list\n",
    )
    (ops.root / "copy.db").unlink()
    assert restore(ops, "--review", WORK).exit_code == 5


def test_only_what_was_run_is_reviewed(ops: Ops) -> None:
    """Files that were changed after the run are other work."""
    break_glass(ops, "gu")
    manifest = ops.folder / "restore.yml"
    manifest.write_bytes(manifest.read_bytes() + b"# later\n")
    ops.commit()
    result = ops.review("confirm", WORK)
    assert result.exit_code == 5
    assert result.stderr.startswith(f"error: the files of {WORK} are not those that were run\n")


def test_who_broke_the_glass_cannot_review_it(ops: Ops) -> None:
    """Even with a role that may agree to work, and though the first statement is gone by then."""
    policy = ops.root / "trust" / "policy.toml"
    text = policy.read_text("utf-8").replace('break-glass = ["', 'break-glass = ["li-na", "')
    policy.write_text(text, "utf-8")
    signers = ops.root / "trust" / "allowed_signers"
    text = signers.read_text("utf-8")
    may = 'li.na@hospital namespaces="dbops-approval@v1,'
    assert may in text
    signers.write_text(text.replace(may, f"{may}dbops-breakglass@v1,"), "utf-8")
    break_glass(ops, "li")
    assert ops.sign("approve", "li").exit_code == 0
    ops.commit()
    result = ops.review("confirm", WORK)
    assert result.exit_code == 5
    assert "1 more approval of it-department missing (0 so far)" in result.stderr
    assert ops.sign("approve", "chen").exit_code == 0
    ops.commit()
    assert ops.review("confirm", WORK).stdout == f"{WORK} was reviewed by chen\n"


def test_a_run_names_what_allowed_it(ops: Ops) -> None:
    """The intent has work, statements, commit and the rules of that day, the outcome the effect."""
    ops.agreed()
    rules = hashlib.sha256((ops.root / "trust" / "policy.toml").read_bytes()).hexdigest()
    restore(ops, "--review", WORK)
    found = [entry.draft for entry in entries(Segments(ops.root / "audit"))]
    intent, outcome = (draft for draft in found if draft.event is Event.RESTORE_RUN)
    assert (intent.phase, intent.work, len(intent.approvals)) == (Phase.INTENT, WORK, 2)
    assert intent.names[Label.COMMIT] == ops.git("rev-parse", "HEAD")
    assert intent.digests[DigestOf.POLICY] == rules
    assert outcome.effect is Effect.COMMITTED


def test_check_looks_at_what_a_merge_request_changes(ops: Ops) -> None:
    """What was there before is not asked about, and a commit that is not there is said."""
    ops.new("2026-1-old")
    ops.commit()
    base = ops.git("rev-parse", "HEAD")
    assert said(ops.review("check", "--all", "--changed-from", base)) == (0, "no work to check\n")
    ops.agreed()
    result = ops.review("check", "--all", "--changed-from", base)
    assert (result.exit_code, result.stdout) == (0, f"{WORK}: complete\n")
    assert ops.review("check", "--all").exit_code == 5
    assert said(ops.review("check", "--all", "--changed-from", "0" * 40)) == (
        10,
        f"error: the ops repository has no commit {'0' * 40}\n"
        "hint: fetch it: a pipeline needs the whole history, not its newest commit alone\n",
    )


def _script(name: str) -> str:
    """The one command of a pipeline file."""
    found = yaml.safe_load((PIPELINES / name).read_text("utf-8"))
    if name == "gitlab-ci.yml":
        (line,) = found["review-check"]["script"]
        return str(line)
    steps = found["jobs"]["review-check"]["steps"]
    (line,) = (step["run"] for step in steps if "run" in step)
    return str(line)


@pytest.mark.parametrize("name", ["gitlab-ci.yml", "github-workflow.yml"])
def test_the_pipeline_files_work(ops: Ops, tmp_path: Path, name: str) -> None:
    """In a fresh clone they fail while a signature is missing, pass when it is there, and fail
    again where a rule stops a change.
    """
    ops.new("2026-1-old")
    ops.commit()
    base = ops.git("rev-parse", "HEAD")
    ops.new()
    ops.sign("request", "wei")
    ops.commit()
    script, changed = re.subn("/etc/dbops/dbops.toml", str(ops.root / "dbops.toml"), _script(name))
    assert changed == 2
    clone = tmp_path / "clone"

    def run() -> tuple[int, str]:
        ops.git("clone", "-q", str(ops.tree), str(clone / ops.git("rev-parse", "HEAD")))
        place = str(clone / ops.git("rev-parse", "HEAD"))
        programs = tmp_path / "bin"
        programs.mkdir(exist_ok=True)
        program = programs / "dbops"
        if not program.exists():
            program.symlink_to(shim())
        environ = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            **dict.fromkeys(("CI_PROJECT_DIR", "GITHUB_WORKSPACE"), place),
            **dict.fromkeys(("CI_MERGE_REQUEST_DIFF_BASE_SHA", "BASE"), base),
        }
        done = subprocess.run(
            ["sh", "-c", script], env=environ, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    assert run() == (5, f"{WORK}: 1 more approval of it-department missing (0 so far)\n")
    ops.sign("approve", "li")
    ops.commit()
    assert run() == (0, f"{WORK}: complete\n")
    changes.write(ops, up="ALTER TABLE sample ADD COLUMN phone TEXT NOT NULL;\n")
    ops.commit()
    status, shown = run()
    assert status == 4
    assert "error DDL-NN" in shown


def repoint(ops: Ops, server: str) -> Wiring:
    """The estate in which somebody made a server of the target."""
    path = ops.root / "dbops.toml"
    text = path.read_text("utf-8")
    head, _, _ = text.partition("[targets.copy]")
    target = f'[targets.copy]\nengine = "postgresql"\ndbname = "x"\nuser = "x"\n{server}\n'
    path.write_text(head + target, "utf-8")
    return Wiring(load_estate(path), {})


def test_a_repointed_alias_is_not_written_to(ops: Ops) -> None:
    """The name of the target stays, the database behind it is the one in use."""
    ops.agreed()
    config = ops.root / "dbops.toml"
    config.write_text(config.read_text("utf-8").replace('"copy.db"', '"example.db"'), "utf-8")
    before = (ops.root / "example.db").read_bytes()
    result = restore(ops, "--review", WORK)
    assert result.exit_code == 5
    assert "copy is another database now than when it was signed" in result.stderr
    assert (ops.root / "example.db").read_bytes() == before


def test_a_ledger_that_others_can_write_remembers_nothing_for_sure(ops: Ops) -> None:
    """Who could take a use or a rejection out of its lines is asked before they are believed."""
    require_root("files that belong to root")
    ops.agreed()
    policy = ops.root / "trust" / "policy.toml"
    policy.write_text(policy.read_text("utf-8").replace("demo = true\n", ""), "utf-8")
    with protected_place(ops.root.parent) as place:
        moved = copy_ops(ops, place / "estate")
        (segment,) = (moved.root / "audit" / "seg").iterdir()
        segment.chmod(0o646)
        result = restore(moved, "--review", WORK)
    assert result.exit_code == 5
    assert f"other accounts can write {segment} (mode 0646)" in result.stderr


def test_locks_that_others_can_remove_lock_nothing(ops: Ops) -> None:
    """Who could take a lock away would run one approval twice at once."""
    require_root("files that belong to root")
    ops.agreed()
    policy = ops.root / "trust" / "policy.toml"
    policy.write_text(policy.read_text("utf-8").replace("demo = true\n", ""), "utf-8")
    with protected_place(ops.root.parent) as place:
        moved = copy_ops(ops, place / "estate")
        state = load_estate(moved.root / "dbops.toml").state
        state.chmod(0o707)
        result = restore(moved, "--review", WORK)
        state.chmod(0o700)
    assert result.exit_code == 5
    assert f"other accounts can write {state} (mode 0707)" in result.stderr


def test_a_planted_command_is_not_run(ops: Ops) -> None:
    """Who can write the estate file is asked before anything of it is believed."""
    ops.agreed()
    policy = ops.root / "trust" / "policy.toml"
    policy.write_text(policy.read_text("utf-8").replace("demo = true\n", ""), "utf-8")
    mark = ops.root / "mark"
    wiring = repoint(ops, f'host = "127.0.0.1"\npassword = {{ command = ["touch", "{mark}"] }}')
    (ops.root / "dbops.toml").chmod(0o666)
    with pytest.raises(Refused) as refused:
        authorize_or_refuse(wiring, Kind.RESTORE, "copy", WORK)
    assert refused.value.code.startswith("trust-")
    assert not mark.exists()


@pytest.mark.parametrize(
    "server",
    [
        'host = "/run/postgresql"\npassword = { file = "secrets/x" }',
        'host = "127.0.0.1"',
        'host = "127.0.0.1"\npassword = { env = "X" }',
        'host = "127.0.0.1"\npassword = { command = ["cat", "/etc/passwd"] }',
    ],
)
def test_a_demo_reaches_no_server_that_lets_it_in_by_other_means(ops: Ops, server: str) -> None:
    """The rules of a demo are anybody's, so the password must be one that this person has."""
    ops.agreed()
    with pytest.raises(Refused) as refused:
        authorize_or_refuse(repoint(ops, server), Kind.RESTORE, "copy", WORK)
    assert refused.value.code == "demo-outside"
