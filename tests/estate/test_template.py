"""What `dbops init` writes can be used as it is, and with every example in use."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.estate.load import load_estate
from dbops.estate.names import as_name, is_name
from dbops.estate.template import estate_template
from dbops.estate.values import Policy, PostgresqlAddress, PostgresqlDatabase, SqliteDatabase
from tests.estate.example import written


@given(
    st.text(min_size=1)
    .filter(str.strip)
    .filter(lambda text: all(each.isprintable() for each in text))
)
def test_any_hospital(tmp_path_factory: pytest.TempPathFactory, hospital: str) -> None:
    """Whatever a hospital is called, the template loads and says so."""
    text = estate_template(hospital, "Asia/Shanghai", "backup-1")
    estate = load_estate(written(tmp_path_factory.mktemp("estate"), text))
    assert (estate.hospital, estate.host.name) == (hospital, "backup-1")


def test_as_it_is(tmp_path: Path) -> None:
    """It holds one working SQLite database and no PostgreSQL."""
    estate = load_estate(written(tmp_path, estate_template("示范医院", "UTC", "h")))
    assert estate.databases == {
        "example": SqliteDatabase(
            name="example",
            system="example",
            repository="main",
            policy="nightly",
            path=tmp_path / "example.db",
        )
    }
    # The values written out are those of the built-in policy.
    assert estate.policies["nightly"] == Policy(name="nightly")
    assert (estate.targets, estate.scratch.postgresql.server) == ({}, None)


def test_with_every_example_in_use(tmp_path: Path) -> None:
    """With the `#` of every example removed it loads, and shows every key there is."""
    text = re.sub(r"(?m)^#(?=\S)", "", estate_template("示范医院", "UTC", "h"))
    estate = load_estate(written(tmp_path, text))
    assert isinstance(estate.databases["lab"], PostgresqlDatabase)
    assert isinstance(estate.targets["lab-restored"], PostgresqlAddress)
    assert estate.scratch.postgresql.server is not None
    assert estate.host.verifier_key == tmp_path / "verifier/signing"


@given(st.text())
def test_any_text_becomes_a_name(text: str) -> None:
    """A name can be made of any text, and one that is a name already stays as it is."""
    name = as_name(text, otherwise="host")
    assert is_name(name)
    assert as_name(name, otherwise="x") == name or name.endswith("-")


def test_names_of_hosts() -> None:
    """A host's own name gives the name that a person would expect."""
    assert as_name("Backup01.hospital.local", otherwise="host") == "backup01-hospital-local"
    assert as_name("备份主机", otherwise="host") == "host"


def test_the_room_is_light() -> None:
    """The values and what reads times and secrets load no validator and no platformdirs."""
    code = (
        "import sys, dbops.estate, dbops.estate.values, dbops.estate.times, dbops.estate.secrets\n"
        "import dbops.estate.template, dbops.estate.names\n"
        "print(sorted({'pydantic', 'platformdirs'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
