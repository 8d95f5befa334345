"""docs/recovery.md and docs/recover.py: a backup comes back without dbops, or they say why not."""

from __future__ import annotations

import ast
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbops.crypto.age import Identity
from dbops.crypto.signing import generate_signing_key
from dbops.repository.packing import PACK_BYTES
from tests.docs.shell_blocks import DOCS, run_sections, shell_blocks
from tests.fix_tools import require_tool
from tests.support.estate import (
    BuiltEstate,
    backup_order,
    copy_estate,
    found_test_estate,
    run_sql,
    take_backup,
)

RECOVER = DOCS / "recover.py"
PAGE = DOCS / "recovery.md"
SECRET = "张三丰"  # stands in a row, and must not stand in any output
ROWS = f"""
CREATE TABLE patient(id INTEGER PRIMARY KEY, name TEXT, record BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
INSERT INTO patient(name, record) SELECT '{SECRET}' || i, randomblob(600) FROM n;
"""


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    for name, package in (("age", "age"), ("zstd", "zstd"), ("ssh-keygen", "openssh-client")):
        require_tool(name, package)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """Two nights of a database of several ranges, in several packs."""
    estate = found_test_estate(tmp_path_factory.mktemp("estate") / "of hospital", ROWS)
    take_backup(estate, order=backup_order(estate, pack_bytes=1 << 19))
    run_sql(estate.database, "UPDATE patient SET name = 'changed' WHERE id = 7")
    take_backup(estate, order=backup_order(estate, pack_bytes=1 << 19))
    return estate


@pytest.fixture
def estate(pristine: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    """A copy to be damaged."""
    return copy_estate(pristine, tmp_path / "copy of it")


@dataclass(frozen=True, slots=True)
class Extraction:
    """What one run of the script said, and where it wrote."""

    status: int
    said: str
    complained: str
    directory: Path

    @property
    def files(self) -> list[str]:
        """Every file that it left."""
        return sorted(
            str(path.relative_to(self.directory))
            for path in self.directory.rglob("*")
            if path.is_file()
        )


def extract(
    estate: BuiltEstate,
    backup: str,
    output: Path,
    *more: str,
    identity: Path | None = None,
    python: str = sys.executable,
) -> Extraction:
    """Run `recover.py extract` as another process."""
    key = identity or estate.root / "hospital" / "recovery"
    command = [python, str(RECOVER), "extract", str(estate.objects), backup, *more]
    done = subprocess.run(
        [*command, "-i", str(key), "-o", str(output)], check=False, capture_output=True, text=True
    )
    assert SECRET not in done.stdout + done.stderr
    return Extraction(done.returncode, done.stdout, done.stderr, output)


def signers(estate: BuiltEstate) -> tuple[str, str]:
    """The option that asks for the signature."""
    return "--verify-signature", str(estate.root / "trust" / "allowed_signers")


def names_in(path: Path) -> list[str]:
    """The rows, read by the standard library's SQLite."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name FROM patient ORDER BY id").fetchall()
    connection.close()
    return [name for (name,) in rows]


def test_it_is_one_short_script_of_the_standard_library() -> None:
    """Fewer than 300 lines, Python 3.8, nothing imported that Python does not bring."""
    source = RECOVER.read_text("utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert len(source.splitlines()) < 300
    assert imported <= sys.stdlib_module_names


def test_the_page_brings_a_sqlite_database_back(pristine: BuiltEstate, tmp_path: Path) -> None:
    """The commands for SQLite, copied from the page, give the file with its rows."""
    require_tool("sqlite3", "sqlite3")
    settings = {
        "REPOSITORY": str(pristine.objects),
        "IDENTITY": str(pristine.root / "hospital" / "recovery"),
        "TRUST": str(pristine.root / "trust"),
        "RECOVER": str(RECOVER),
        "WORK": str(tmp_path),
        "BACKUP": "example@2",
    }
    sections = ("What is there", "A SQLite database", "By hand")
    done = run_sections(PAGE, sections, settings)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["example@1", "example@2"]
    assert lines[2] == "signed by writer@backup-1"
    assert "ok" in lines
    assert names_in(tmp_path / "sqlite" / "example.db") == names_in(pristine.database)


def test_every_command_of_the_page_is_run(pristine: BuiltEstate) -> None:
    """No section with commands is left out of these tests."""
    assert set(shell_blocks(PAGE.read_text("utf-8"))) == {
        "What is there",
        "A SQLite database",
        "A PostgreSQL database",
        "By hand",
    }


def test_each_night_comes_back_as_it_was(pristine: BuiltEstate, tmp_path: Path) -> None:
    """The first night holds the row as it was before the change, the second as after it."""
    for night, expected in ((1, f"{SECRET}7"), (2, "changed")):
        done = extract(pristine, f"example@{night}", tmp_path / str(night), *signers(pristine))
        assert (done.status, done.complained) == (0, "")
        assert names_in(done.directory / "example.db")[6] == expected
        assert done.files == ["example.db"]
        assert (done.directory / "example.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_it_runs_on_other_versions_of_python(
    pristine: BuiltEstate, tmp_path: Path, version: str
) -> None:
    """Whatever Python the machine has, the same file comes out."""
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-V"], check=False).returncode:
        pytest.skip(f"python{version} is missing")
    done = extract(pristine, "example@2", tmp_path / "out", *signers(pristine), python=python)
    assert (done.status, done.complained) == (0, "")
    assert names_in(done.directory / "example.db") == names_in(pristine.database)


def pack_of(estate: BuiltEstate) -> Path:
    """A pack in the middle of the newest backup."""
    own = [pack.sha256 for pack in estate.newest().envelope.packs]
    assert len(own) > 2
    return estate.objects / "db" / "example" / "pack" / own[1][:2] / f"{own[1]}.age"


def catalogue_of(estate: BuiltEstate) -> Path:
    """The newest backup's catalogue."""
    sha256 = estate.newest().envelope.catalogue.sha256
    return estate.objects / "db" / "example" / "catalogue" / f"{sha256}.age"


def flip(path: Path) -> None:
    """One bit in the middle is another one."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    rewrite(path, bytes(data))


def cut(path: Path) -> None:
    """The last byte is gone."""
    rewrite(path, path.read_bytes()[:-1])


def rewrite(path: Path, data: bytes) -> None:
    """Other bytes under the same name."""
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_damaged_pack_is_named_and_no_file_is_left(
    estate: BuiltEstate, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """The range and the pack are named, the exit status is 1, and no database file is there."""
    pack = pack_of(estate)
    damage(pack)
    done = extract(estate, "example@2", tmp_path / "out")
    assert done.status == 1
    assert f"of file in pack {pack.name[:16]}: {pack} is missing, or not what" in done.complained
    assert done.complained.endswith("error: 1 streams of example@2 are damaged\n")
    assert done.files == []


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_damaged_catalogue_is_named(
    estate: BuiltEstate, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Without its catalogue nothing of a backup is written."""
    catalogue = catalogue_of(estate)
    damage(catalogue)
    done = extract(estate, "example@2", tmp_path / "out")
    assert done.status == 1
    assert done.complained == f"error: {catalogue} is missing, or not what the envelope names\n"
    assert done.files == []


def test_a_key_that_opens_nothing_is_said_so(pristine: BuiltEstate, tmp_path: Path) -> None:
    """The host's catalogue key opens the catalogue and no pack; a stranger's opens neither."""
    stranger = tmp_path / "stranger"
    stranger.write_text(Identity.generate().secret + "\n", "ascii")
    done = extract(pristine, "example@1", tmp_path / "a", identity=stranger)
    assert (done.status, done.files) == (1, [])
    assert "does not open with this identity" in done.complained
    host = pristine.root / "keys" / "catalogue"
    done = extract(pristine, "example@1", tmp_path / "b", identity=host)
    assert (done.status, done.files) == (1, [])
    assert "range 0 of file in pack" in done.complained
    assert "does not open with this identity" in done.complained


def test_an_unknown_backup_is_said_so(pristine: BuiltEstate, tmp_path: Path) -> None:
    """A number that is not there writes nothing."""
    done = extract(pristine, "example@9", tmp_path / "out")
    expected = f"error: {pristine.objects} does not hold one backup called example@9\n"
    assert (done.status, done.complained) == (1, expected)


def test_what_was_recovered_before_is_never_written_over(
    pristine: BuiltEstate, tmp_path: Path
) -> None:
    """The output directory must be new."""
    (tmp_path / "out").mkdir()
    done = extract(pristine, "example@1", tmp_path / "out")
    assert done.status == 1
    assert "File exists" in done.complained


@dataclass(frozen=True, slots=True)
class Envelope:
    """The newest manifest's file, and ways to spoil it."""

    path: Path

    def edit(self, old: bytes, new: bytes) -> None:
        """Other text under the same signature."""
        data = self.path.read_bytes()
        assert data.count(old) == 1
        rewrite(self.path, data.replace(old, new))

    def sign_by(self, key: Path) -> None:
        """The same text, signed by another key."""
        body = self.path.read_bytes().partition(b"-----BEGIN")[0]
        command = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", "dbops-manifest@v1"]
        armor = subprocess.run(command, input=body, capture_output=True, check=True).stdout
        rewrite(self.path, body + armor)


@pytest.fixture
def envelope(estate: BuiltEstate) -> Envelope:
    """The manifest of example@2."""
    return Envelope(estate.objects / estate.newest().name)


@pytest.fixture
def refused(estate: BuiltEstate, tmp_path: Path) -> Iterator[None]:
    """After the test's damage, the signature is refused and nothing is written."""
    yield
    done = extract(estate, "example@2", tmp_path / "out", *signers(estate))
    assert done.status == 1
    assert " is not one that " in done.complained
    assert not done.directory.exists()


@pytest.mark.usefixtures("refused")
class TestSignatures:
    """With --verify-signature only what the hospital trusts is opened."""

    def test_other_text(self, envelope: Envelope) -> None:
        """A changed envelope is refused."""
        envelope.edit(b'"host": "backup-1"', b'"host": "backup-2"')

    def test_another_key(self, envelope: Envelope, tmp_path: Path) -> None:
        """A stranger's signature is refused."""
        generate_signing_key(tmp_path / "stranger", "stranger@nowhere")
        envelope.sign_by(tmp_path / "stranger")

    def test_a_key_for_something_else(self, envelope: Envelope, estate: BuiltEstate) -> None:
        """The verifier may sign certificates, and no manifests."""
        envelope.sign_by(estate.root / "verifier" / "signing")

    def test_no_signature(self, envelope: Envelope) -> None:
        """An unsigned envelope is refused."""
        rewrite(envelope.path, envelope.path.read_bytes().partition(b"-----BEGIN")[0])

    @pytest.mark.parametrize("form", ["key", "fingerprint"])
    def test_a_revoked_key(self, estate: BuiltEstate, form: str) -> None:
        """A key that stands in `revoked` counts for nothing, in either form."""
        public = estate.root / "keys" / "writer.pub"
        shown = subprocess.run(
            ["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True
        )
        fingerprint = shown.stdout.split()[1]
        line = public.read_text("ascii") if form == "key" else f"{fingerprint}\n"
        (estate.root / "trust" / "revoked").write_text("# lost in May\n" + line, "ascii")


def test_without_the_option_it_says_that_nobody_vouches(
    pristine: BuiltEstate, tmp_path: Path
) -> None:
    """An unverified backup is opened, and called that."""
    done = extract(pristine, "example@1", tmp_path / "out")
    assert done.status == 0
    assert done.said.splitlines()[0] == "not verified: who signed this backup"


def test_an_envelope_under_another_number_is_refused(
    estate: BuiltEstate, envelope: Envelope, tmp_path: Path
) -> None:
    """A manifest that was put under another name opens as neither backup."""
    envelope.path.rename(envelope.path.with_name("00000003-" + "0" * 32))
    done = extract(estate, "example@3", tmp_path / "out")
    assert done.status == 1
    assert "does not hold one backup called example@3" in done.complained


def test_memory_does_not_grow_with_the_database(estate: BuiltEstate, tmp_path: Path) -> None:
    """Fifty megabytes of rows pass through a process that may have forty more than at rest."""
    run_sql(
        estate.database,
        "INSERT INTO patient(record) SELECT randomblob(50000) FROM patient LIMIT 1000",
    )
    take_backup(estate, order=backup_order(estate, pack_bytes=PACK_BYTES))
    script = (
        "import resource, runpy, sys; sys.argv = sys.argv[1:];"
        "base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)"
    )
    key = estate.root / "hospital" / "recovery"
    command = [sys.executable, "-c", script, str(RECOVER), "extract", str(estate.objects)]
    done = subprocess.run(
        [*command, "example@3", "-i", str(key), "-o", str(tmp_path / "out")],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert (tmp_path / "out" / "example.db").stat().st_size > 50_000_000
    assert int(done.stdout.splitlines()[-1]) < 40_000
