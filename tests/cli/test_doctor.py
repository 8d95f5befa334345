"""`dbops doctor` as people type it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbops.cli.root import main
from tests.support.estate import BuiltEstate, copy_estate, found_test_estate, take_backup


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> BuiltEstate:
    """An estate with one backup, from which the hospital has taken its keys away."""
    estate = found_test_estate(tmp_path_factory.mktemp("doctor") / "estate")
    take_backup(estate)
    shutil.rmtree(estate.root / "hospital")
    estate.database.chmod(0o600)
    return estate


@pytest.fixture
def estate(made: BuiltEstate, tmp_path: Path) -> BuiltEstate:
    copied = copy_estate(made, tmp_path / "estate")
    copied.root.chmod(0o755)
    return copied


def run(estate: BuiltEstate, *arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["--estate", str(estate.root / "dbops.toml"), "doctor", *arguments]
    )


def findings(result: Result) -> dict[str, dict[str, str]]:
    return {item["code"]: item for item in json.loads(result.stdout)["findings"]}


def test_a_good_estate_has_no_problem(estate: BuiltEstate) -> None:
    """0, every area is there, and nothing but ok unless a program is missing here."""
    result = run(estate, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert list(dict.fromkeys(item["area"] for item in document["findings"])) == [
        "this host",
        "estate",
        "keys",
        "repository main",
        "database example",
    ]
    wrong = {item["code"] for item in document["findings"] if item["verdict"] != "ok"}
    assert wrong <= {"recovery-program"}
    assert document["verdicts"]["problem"] == 0
    assert sum(document["verdicts"].values()) == len(document["findings"])


def test_the_text_says_area_verdict_and_advice(estate: BuiltEstate) -> None:
    """A problem: 4, its sentence, and under it what to do."""
    key = estate.root / "keys" / "writer"
    key.chmod(0o644)
    result = run(estate)
    assert result.exit_code == 4
    assert (
        f"  problem  signing key {key} is open to other accounts (mode 0644)\n"
        f"           → chmod 600 {key}\n"
    ) in result.stdout
    assert "\nrepository main\n  ok       repository main at " in result.stdout
    assert result.stdout.splitlines()[-1].endswith(" problem")


def test_warnings_alone_end_well(estate: BuiltEstate) -> None:
    """A warning is advice: 0."""
    estate.database.chmod(0o644)
    result = run(estate, "--json")
    assert result.exit_code == 0
    assert findings(result)["sqlite-readable-by-all"]["verdict"] == "warning"


def test_one_broken_part_does_not_hide_the_others(estate: BuiltEstate) -> None:
    """Without trust root, repository and database, the rest is still looked at."""
    (estate.root / "trust" / "allowed_signers").unlink()
    shutil.rmtree(estate.objects)
    estate.database.unlink()
    result = run(estate, "--json")
    assert result.exit_code == 4
    found = findings(result)
    assert {code for code, item in found.items() if item["verdict"] == "problem"} == {
        "trust-missing",
        "repository-absent",
        "database-missing",
    }
    assert found["repository-absent"]["text"] == "repository main is not there"
    assert found["file-private"]["verdict"] == "ok"


def test_named_databases_only(estate: BuiltEstate) -> None:
    """A name chooses; one that nobody knows is 10."""
    assert run(estate, "example").exit_code == 0
    result = run(estate, "exmple")
    assert result.exit_code == 10
    assert result.stderr == (
        'error: the estate has no database "exmple"\n'
        'hint: did you mean "example"? there are: example\n'
    )


def test_the_doctor_changes_nothing(estate: BuiltEstate) -> None:
    """Every file of the estate is there afterwards with the same bytes, and no other."""

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in estate.root.rglob("*") if path.is_file()}

    before = files()
    run(estate)
    assert files() == before


def test_no_secret_is_shown(estate: BuiltEstate) -> None:
    """Neither text nor JSON holds a secret half."""
    for result in (run(estate), run(estate, "--json")):
        assert "AGE-SECRET-KEY" not in result.output
        assert "PRIVATE KEY" not in result.output


def test_help_has_an_example_and_exit_statuses(estate: BuiltEstate) -> None:
    """The help shows how it is typed and how it may end."""
    text = run(estate, "--help").stdout
    assert "Example: dbops doctor lab" in text
    assert "Exit statuses: 0 no problem" in text
