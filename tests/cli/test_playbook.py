"""`dbops playbook` as people type it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbops.cli.root import main

SHELF = Path(__file__).parents[2] / "playbooks"
SHIPPED = sorted(path.name for path in SHELF.iterdir() if path.is_dir())


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No estate is near: playbooks can be looked at without one."""
    monkeypatch.chdir(tmp_path)


def said(*words: str) -> Result:
    return CliRunner().invoke(main, ["playbook", *words])


def test_the_list_has_each_of_them() -> None:
    """Eight at least, by name, in both languages, for both engines; the same in JSON."""
    listed = said("list")
    assert listed.exit_code == 0, listed.output
    lines = listed.stdout.splitlines()
    assert lines[0].split() == ["playbook", "名称", "title", "engines"]
    assert [line.split()[0] for line in lines[2:]] == SHIPPED
    assert len(SHIPPED) >= 8
    assert all(line.endswith("postgresql, sqlite") for line in lines[2:])
    found = json.loads(said("list", "--json").stdout)
    assert [(each["name"], each["fault"]) for each in found] == [(name, None) for name in SHIPPED]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_is_shown_with_its_page_and_script(name: str) -> None:
    """What it is for, every parameter, the page, and the very script that would run."""
    shown = said("show", name, "--script")
    assert shown.exit_code == 0, shown.output
    document = json.loads(said("show", name, "--json").stdout)
    assert shown.stdout.startswith(f"{name}: {document['title']} ({document['title_zh']})\n")
    for parameter in document["parameters"]:
        assert parameter["name"] in shown.stdout
    page = (SHELF / name / "README.md").read_text("utf-8")
    script = (SHELF / name / "repair.sql").read_text("utf-8")
    assert page.rstrip() in shown.stdout
    assert shown.stdout.endswith(f"--- repair.sql\n{script.rstrip()}\n")
    assert (document["page"], document["script"]) == (page, script)
    assert script.rstrip() not in said("show", name).stdout


def test_there_is_none_of_that_name() -> None:
    """The nearest stands in the hint, and all that there are."""
    result = said("show", "move-visit")
    assert (result.exit_code, result.stderr) == (
        10,
        "error: there is no playbook move-visit\n"
        'hint: did you mean "move-visits-to-ward"?'
        f" dbops playbook list: {', '.join(SHIPPED)}\n",
    )


def test_the_hospital_has_its_own(tmp_path: Path) -> None:
    """A playbook of the estate stands before those of dbops; a broken one is told, and counts."""
    own = tmp_path / "own"
    shutil.copytree(SHELF / "move-visits-to-ward", own / "move-visits-here")
    manifest = own / "move-visits-here" / "playbook.yml"
    text = manifest.read_text("utf-8")
    manifest.write_text(text.replace("name: move-visits-to-ward", "name: move-visits-here"))
    founded = CliRunner().invoke(main, ["init", str(tmp_path / "estate"), "--hospital", "示范医院"])
    assert founded.exit_code == 0, founded.output
    estate = tmp_path / "estate" / "dbops.toml"
    estate.write_text(estate.read_text("utf-8") + f'\n[repair]\nplaybooks = "{own}"\n')
    words = ["--estate", str(estate), "playbook", "list", "--json"]
    listed = CliRunner().invoke(main, words)
    assert listed.exit_code == 0, listed.output
    names = [each["name"] for each in json.loads(listed.stdout)]
    assert sorted(names) == sorted([*SHIPPED, "move-visits-here"])
    manifest.write_text("dbops: playbook/v9\n")
    broken = CliRunner().invoke(main, words)
    assert broken.exit_code == 4
    assert broken.stderr.startswith("error: ")
    assert "playbook.yml line 1" in broken.stderr
