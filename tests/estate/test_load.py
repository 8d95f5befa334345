"""`dbops.toml` becomes frozen values, all of them absolute and resolved."""

from __future__ import annotations

import dataclasses
import pickle
import re
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.errors import Failed, NotFound, UsageFault
from dbops.estate.load import load_estate
from dbops.estate.values import (
    Estate,
    Host,
    Policy,
    PostgresqlAddress,
    PostgresqlDatabase,
    PostgresqlScratch,
    RepositoryConfig,
    SecretCommand,
    SecretEnv,
    SecretFile,
    SqliteAddress,
    SqliteDatabase,
    SslMode,
    System,
    Witness,
)
from tests.estate.example import WHOLE, written


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return load_estate(written(tmp_path, WHOLE))


def test_what_it_says_of_the_hospital(estate: Estate, tmp_path: Path) -> None:
    """Paths are relative to the file, the zone is a zone, Chinese stays Chinese."""
    assert estate.path == tmp_path / "dbops.toml"
    assert (estate.hospital, estate.zone) == ("示范医院", ZoneInfo("Asia/Shanghai"))
    assert estate.trust == tmp_path / "trust"
    assert estate.recipients == tmp_path / "trust" / "recipients"
    assert estate.state == tmp_path / "state"
    assert estate.host == Host(
        name="backup-1",
        signing_key=tmp_path / "keys/writer",
        catalogue_identity=tmp_path / "keys/catalogue",
        identities=(tmp_path / "verifier/drill",),
        verifier_key=tmp_path / "verifier/signing",
    )


def test_repositories_policies_and_systems(estate: Estate, tmp_path: Path) -> None:
    """What a policy leaves out is as in the built-in one, which is always there."""
    assert estate.repositories == {"main": RepositoryConfig(name="main", path=tmp_path / "backups")}
    assert estate.policies == {
        "default": Policy(),
        "nightly": Policy(
            name="nightly", keep_last=4, grace=timedelta(days=2), witness=Witness.ALWAYS
        ),
    }
    assert estate.systems == {
        "lab": System(
            name="lab",
            name_zh="实验室信息化管理系统",
            name_en="Laboratory informatics",
            owner="检验科",
            tier=1,
            rpo=timedelta(hours=26),
            rto=timedelta(hours=4),
        )
    }


def test_databases(estate: Estate, tmp_path: Path) -> None:
    """Each engine gives its own type; repository and policy default to the only one."""
    assert list(estate.databases) == ["lab", "flu-watch"]
    assert estate.databases["lab"] == SqliteDatabase(
        name="lab",
        system="lab",
        repository="main",
        policy="nightly",
        path=Path("/srv/lab/lab.db"),
    )
    assert estate.databases["flu-watch"] == PostgresqlDatabase(
        name="flu-watch",
        system="lab",
        repository="main",
        policy="default",
        host="127.0.0.1",
        port=5432,
        dbname="flu",
        user="dbops",
        password=SecretFile(tmp_path / "secrets/flu"),
        sslmode=SslMode.VERIFY_FULL,
        sslrootcert=tmp_path / "ca.pem",
        jobs=4,
    )


def test_targets_and_scratch(estate: Estate, tmp_path: Path) -> None:
    """A target is an address; so is a configured scratch server."""
    drill = PostgresqlAddress(
        name="drill",
        host="/run/postgresql",
        port=5433,
        dbname="流感",
        user="dbops",
        password=SecretEnv("FLU_PASSWORD"),
        sslmode=SslMode.PREFER,
        sslrootcert=None,
        jobs=2,
    )
    assert estate.targets == {
        "drill": drill,
        "copy": SqliteAddress(name="copy", path=tmp_path / "copy.db"),
    }
    assert estate.scratch.postgresql == PostgresqlScratch(
        account="dbops-scratch",
        server=dataclasses.replace(
            drill,
            name="scratch",
            host="scratch.example",
            port=5432,
            dbname="postgres",
            user="scratch",
            password=SecretCommand((f"{tmp_path}/bin/secret", "show", "flu")),
        ),
    )


def test_values_are_frozen(estate: Estate) -> None:
    """Neither an attribute nor a mapping of a loaded estate can be changed."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        estate.hospital = "x"  # type: ignore[misc]  # that is the property
    for mapping in (estate.databases, estate.targets, estate.systems, estate.policies):
        with pytest.raises(TypeError):
            mapping["new"] = None  # type: ignore[index]  # that is the property


def test_a_database_reaches_a_worker_process(estate: Estate) -> None:
    """Databases survive the trip to another process."""
    for database in estate.databases.values():
        assert pickle.loads(pickle.dumps(database)) == database  # noqa: S301 -- our own bytes


def test_the_least_that_is_an_estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without databases nothing but the estate and the host is asked for."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    text = WHOLE[: WHOLE.index("[repositories")].replace('state = "state"\n', "")
    text = re.sub("(?m)^(identities|verifier_key).*\n", "", text)
    estate = load_estate(written(tmp_path, text))
    assert estate.state == tmp_path / "xdg" / "dbops"
    assert (estate.host.identities, estate.host.verifier_key) == ((), None)
    assert (estate.databases, estate.policies) == ({}, {"default": Policy()})
    assert estate.scratch.postgresql == PostgresqlScratch(account=None, directory=None, server=None)


def test_built_in_policy_where_several_could_be_meant(tmp_path: Path) -> None:
    """With two policies and none named, a database gets the built-in one."""
    text = WHOLE.replace("[systems.lab]", "[policies.other]\n\n[systems.lab]")
    assert load_estate(written(tmp_path, text)).databases["lab"].policy == "default"


def test_bom_and_crlf_of_a_windows_editor(tmp_path: Path) -> None:
    """A file saved on Windows means the same."""
    plain = load_estate(written(tmp_path, WHOLE))
    windows = b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode()
    assert load_estate(written(tmp_path, windows)) == plain


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is exit status 10, and the hint makes one."""
    with pytest.raises(NotFound) as caught:
        load_estate(tmp_path / "dbops.toml")
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "no-estate",
        f"no dbops.toml found in {tmp_path}",
        "dbops init",
    )


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A directory in the file's place, and a file without end, are named and not read."""
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(Failed) as caught:
            load_estate(path)
        assert (caught.value.code, caught.value.message, caught.value.hint) == (
            "estate-unreadable",
            f"{path} is not a file of at most 4 MiB",
            f"ls -l {path}",
        )


def test_file_of_another_account() -> None:
    """Without the right to read the file, that is what is said."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from dbops.errors import Failed; from dbops.estate.load import load_estate\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: load_estate(Path(sys.argv[1]))\n"
        "except Failed as error: print(error.message)\n"
    )
    # Not below pytest's own directory, which other accounts may not enter.
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        path = written(Path(directory), WHOLE)
        path.chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", code, path],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert done.stdout == f"{path} may not be read by this account\n"


@given(st.text(alphabet='[]{}=."#\n a1é', max_size=60), st.integers(0, len(WHOLE)))
def test_any_damage_is_one_usage_fault(
    tmp_path_factory: pytest.TempPathFactory, junk: str, at: int
) -> None:
    """Whatever is typed into the file, it loads or is refused in one line each."""
    path = written(tmp_path_factory.mktemp("estate"), WHOLE[:at] + junk + WHOLE[at:])
    assert set(map(len, map(str.splitlines, outcome(path)))) <= {1}


def outcome(path: Path) -> tuple[str, ...]:
    """Return the message and the hint of a refusal, or nothing where the file loads."""
    try:
        load_estate(path)
    except UsageFault as refused:
        return refused.message, refused.hint
    return ()
