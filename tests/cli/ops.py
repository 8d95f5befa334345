"""An estate with persons who sign, and an ops repository that is a real git repository."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from dbops.cli.root import main
from dbops.crypto.signing import generate_signing_key
from tests.support.estate import found_test_estate

PERSONS = {
    "wei": "wei:张伟:wei@contractor:{key}.pub:engineer",
    "li": "li-na:李娜:li.na@hospital:{key}.pub:it-department",
    "chen": "chen:陈晨:chen@hospital:{key}.pub:it-department",
    "gu": "gu:顾平:gu@hospital:{key}.pub:break-glass",
}
WORK = "2026-117-copy"


@dataclass(frozen=True, slots=True)
class Ops:
    """Where the estate is; `root` holds it, its ops repository and everybody's keys."""

    root: Path

    @property
    def tree(self) -> Path:
        return self.root / "ops"

    @property
    def folder(self) -> Path:
        return self.tree / "restores" / WORK

    def key(self, person: str) -> Path:
        return self.root / "persons" / person

    def run(self, *words: object) -> Result:
        """What `dbops` answers."""
        arguments = ("--estate", self.root / "dbops.toml", *words)
        return CliRunner().invoke(main, [str(word) for word in arguments])

    def review(self, *words: object) -> Result:
        return self.run("review", *words)

    def sign(self, verb: str, person: str, *more: object) -> Result:
        """The person signs the piece of work."""
        return self.review(verb, WORK, "--key", self.key(person), "--yes", *more)

    def new(self, work_id: str = WORK, *more: object) -> Result:
        """Ask for a restore of the only backup into a new file."""
        said = ("--title", "示例库的副本", "--author", "wei@contractor")
        return self.review(
            "new", "restore", work_id, "--from", "example@1", "--to", "copy", *said, *more
        )

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "work")

    def git(self, *words: str) -> str:
        names = ("-c", "user.name=w", "-c", "user.email=w@w", "-c", "core.hooksPath=/dev/null")
        done = subprocess.run(
            ["git", *names, *words], cwd=self.tree, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def agreed(self) -> None:
        """Afterwards the work is asked for, approved and committed."""
        for result in (self.new(), self.sign("request", "wei"), self.sign("approve", "li")):
            assert result.exit_code == 0, result.output
        self.commit()


def found_ops(root: Path) -> Ops:
    """Afterwards there is an estate with a backup, whose restores need one of the hospital's IT.

    The policy is marked demo, so that a machine's directory for temporary files will do, but
    asks what a hospital's does.
    """
    found_test_estate(root, demo=False)
    ops = Ops(root)
    (root / "persons").mkdir(mode=0o700)
    for person in PERSONS:
        generate_signing_key(ops.key(person), person)
    options = [("--person", text.format(key=ops.key(who))) for who, text in PERSONS.items()]
    result = ops.run("trust", "init", *(word for option in options for word in option), "--yes")
    assert result.exit_code == 0, result.output
    policy = root / "trust" / "policy.toml"
    text = policy.read_text("utf-8")
    version = 'dbops = "policy/v1"\n'
    policy.write_text(text.replace(version, f"{version}demo = true\n", 1), "utf-8")
    with (root / "dbops.toml").open("a", encoding="utf-8") as file:
        file.write('\n[targets.copy]\nengine = "sqlite"\npath = "copy.db"\n')
    assert ops.run("backup", "run", "example").exit_code == 0
    if not (ops.tree / ".git").exists():
        ops.git("init", "-q")
    return ops


def copy_ops(ops: Ops, root: Path) -> Ops:
    """The same in another directory, to be spoilt."""
    shutil.copytree(ops.root, root, symlinks=True)
    return Ops(root)
