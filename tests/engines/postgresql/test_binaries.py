"""Finding PostgreSQL programs: with the ones of this machine, and with programs made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbops.engines.postgresql.binaries import (
    CLIENT_TOOLS,
    SERVER_TOOLS,
    Installation,
    client_for,
    find_installations,
    server_of,
)
from dbops.errors import Failed, NotFound


def install(bindir: Path, version: str, tools: tuple[str, ...]) -> Path:
    """Programs that answer `--version` as PostgreSQL's do, and count how often they are asked."""
    bindir.mkdir(parents=True)
    for name in tools:
        program = bindir / name
        program.write_text(
            f'#!/bin/sh\necho asked >> "{bindir}/asked"\necho "{name} (PostgreSQL) {version}"\n'
        )
        program.chmod(0o755)
    return bindir


def found_in(*directories: Path) -> list[Installation]:
    """What was found in these directories, without what the machine itself has."""
    return [one for one in find_installations(directories) if one.bindir in directories]


def test_the_running_servers_programs_are_found_with_their_version(
    pg_installation: Installation,
) -> None:
    """A real installation is found by the real directory that holds all its programs."""
    found = server_of(pg_installation.major, find_installations([pg_installation.bindir]))
    assert found == pg_installation
    assert found.version.startswith(f"{found.major}.")
    assert found.has((*SERVER_TOOLS, *CLIENT_TOOLS))


def test_an_installation_is_asked_once(tmp_path: Path) -> None:
    """However many of its programs and links are met, one question tells the version."""
    bindir = install(tmp_path / "16" / "bin", "16.4 (Debian 16.4-1)", ("postgres", "psql"))
    assert found_in(bindir, bindir) == [Installation(bindir, 16, "16.4")]
    assert (bindir / "asked").read_text() == "asked\n"


def test_a_client_without_server_counts_as_client_only(tmp_path: Path) -> None:
    """A package of client tools is found, and offers no server."""
    bindir = install(tmp_path / "bin", "44.1", CLIENT_TOOLS)
    installations = found_in(bindir)
    assert client_for(43, installations).bindir == bindir
    with pytest.raises(NotFound, match="found none"):
        server_of(44, installations)


@pytest.mark.parametrize(
    ("text", "major", "version"),
    [("18beta1", 18, "18beta1"), ("19devel", 19, "19devel"), ("14.12 - Percona", 14, "14.12")],
)
def test_versions_of_other_builds_are_read(
    tmp_path: Path, text: str, major: int, version: str
) -> None:
    """Betas, development builds and vendors' builds have a major version as well."""
    bindir = install(tmp_path / "bin", text, ("postgres",))
    assert found_in(bindir) == [Installation(bindir, major, version)]


def test_links_lead_to_the_real_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link on PATH stands for the directory it points into, where all programs are."""
    bindir = install(tmp_path / "cellar" / "bin", "46.2", ("postgres", *CLIENT_TOOLS))
    links = tmp_path / "links"
    links.mkdir()
    (links / "psql").symlink_to(bindir / "psql")
    monkeypatch.setenv("PATH", str(links), prepend=":")
    assert Installation(bindir, 46, "46.2") in find_installations()


def test_a_wrapper_is_not_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to a program of another name, like Debian's pg_wrapper, is never asked."""
    wrapper = install(tmp_path / "share", "46.2", ("pg_wrapper",)) / "pg_wrapper"
    links = tmp_path / "links"
    links.mkdir()
    for name in CLIENT_TOOLS:
        (links / name).symlink_to(wrapper)
    monkeypatch.setenv("PATH", str(links), prepend=":")
    find_installations([links])
    assert not (tmp_path / "share" / "asked").exists()


def test_relative_entries_of_path_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that lies in the working directory is not taken for PostgreSQL."""
    bindir = install(tmp_path / "here", "46.2", ("postgres",))
    monkeypatch.chdir(bindir)
    monkeypatch.setenv("PATH", ".:", prepend=":")
    find_installations()
    assert not (bindir / "asked").exists()


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\necho 'psql (OtherSQL) 15.1'\n",
        "#!/bin/sh\necho 'psql (PostgreSQL) 15.1'\nexit 1\n",
        "#!/nowhere/interpreter\n",
    ],
    ids=["another product", "fails", "does not run"],
)
def test_programs_that_do_not_answer_are_left_out(tmp_path: Path, script: str) -> None:
    """What does not say that it is PostgreSQL, or cannot run, is no installation."""
    program = tmp_path / "psql"
    program.write_text(script)
    program.chmod(0o755)
    assert found_in(tmp_path) == []


def test_the_first_found_of_a_major_version_is_preferred(tmp_path: Path) -> None:
    """Directories that the site names go in its order, whatever their minor versions."""
    old = install(tmp_path / "old", "47.1", SERVER_TOOLS)
    new = install(tmp_path / "new", "47.3", SERVER_TOOLS)
    assert server_of(47, find_installations([old, new])).bindir == old
    assert server_of(47, find_installations([new, old])).bindir == new


def test_the_lowest_client_that_fits_is_chosen(tmp_path: Path) -> None:
    """A client may be newer than the server, and the nearest one is taken."""
    bindirs = [install(tmp_path / v, f"{v}.1", CLIENT_TOOLS) for v in ("49", "47", "48")]
    installations = found_in(*bindirs)
    assert [one.major for one in installations] == [47, 48, 49]
    assert client_for(48, installations).major == 48
    assert client_for(40, installations).major == 47


def test_an_incomplete_client_is_not_chosen(tmp_path: Path) -> None:
    """A directory without pg_restore cannot serve a backup."""
    part = install(tmp_path / "47", "47.1", ("pg_dump", "psql"))
    whole = install(tmp_path / "48", "48.1", CLIENT_TOOLS)
    assert client_for(47, found_in(part, whole)).bindir == whole


def test_an_old_client_is_refused(tmp_path: Path) -> None:
    """Client tools older than the server are refused, with what to install."""
    bindirs = [install(tmp_path / v, f"{v}.1", CLIENT_TOOLS) for v in ("15", "13")]
    with pytest.raises(Failed) as refusal:
        client_for(17, found_in(*bindirs))
    assert refusal.value.code == "client-too-old"
    assert refusal.value.message == "pg_dump 15 is older than the server (17)"
    assert refusal.value.hint == "install postgresql-client-17 or newer"


def test_a_missing_client_is_said() -> None:
    """Without any client tools the error says which programs, and what to install."""
    with pytest.raises(NotFound) as refusal:
        client_for(17, [])
    assert refusal.value.code == "client-missing"
    assert refusal.value.message == "no pg_dump, psql and pg_restore found"
    assert refusal.value.hint == "install postgresql-client-17 or newer"


def test_a_missing_server_is_said_with_those_that_are_here(tmp_path: Path) -> None:
    """A scratch server needs the very major version; the error names it and its package."""
    bindirs = [install(tmp_path / v, f"{v}.1", SERVER_TOOLS) for v in ("17", "15")]
    with pytest.raises(NotFound) as refusal:
        server_of(16, found_in(*bindirs))
    assert refusal.value.code == "server-missing"
    assert refusal.value.message == "no PostgreSQL 16 server is installed here (found 15, 17)"
    assert refusal.value.hint == "apt-get install postgresql-16"
