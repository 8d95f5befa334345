"""The documents hold together: links lead somewhere, and nothing stands in them that must not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, blocks, documents, links

# Assembled from parts, so that this file does not hold what it looks for.
_REGISTRIES = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "proxy." + "golang.org",
    "crates" + ".io",
    "--index" + "-url",
    "--extra-" + "index-url",
    "--trusted" + "-host",
)
_MACHINE = ("/" + "work/", "/" + "root/", "/" + "tmp/brief", ".py" + "env/")
_BINARY = {".png", ".gz", ".db", ".age", ".whl"}
_DOCUMENT_IN_SOURCE = re.compile(r"\b(docs/[\w./-]+\.(?:md|py))")


def _tracked() -> list[Path]:
    """The text files of the project: what git has, and what it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no git work tree: git clone the project to check every file")
    names = [name for name in listed.stdout.decode().split("\0") if name]
    paths = (ROOT / name for name in names)
    return [path for path in paths if path.is_file() and path.suffix not in _BINARY]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    return enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Every link to a file of the project leads to a file, and to a heading if it names one."""
    dead = []
    for target in links(path.read_text("utf-8")):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, heading = target.partition("#")
        found = (path.parent / name) if name else path
        if not found.exists() or (heading and heading not in _headings(found)):
            dead.append(target)
    assert dead == []


def _headings(path: Path) -> set[str]:
    """The anchors that a Markdown viewer makes of the headings."""
    titles = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_page_can_be_reached_from_the_index() -> None:
    """From README.md every page under docs/ is reached by links."""
    waiting, reached = [ROOT / "README.md"], set()
    while waiting:
        path = waiting.pop()
        if path in reached or path.suffix != ".md" or not path.exists():
            continue
        reached.add(path)
        targets = (target.partition("#")[0] for target in links(path.read_text("utf-8")))
        waiting += [(path.parent / target).resolve() for target in targets if "://" not in target]
    pages = set((ROOT / "docs").rglob("*.md"))
    assert sorted(str(path.relative_to(ROOT)) for path in pages - reached) == []


def test_documents_named_in_the_source_exist() -> None:
    """A hint that sends somebody to a page names one that is there."""
    missing = [
        f"{path.relative_to(ROOT)}:{number}: {name}"
        for path in (ROOT / "dbops").rglob("*.py")
        for number, line in _lines(path)
        for name in _DOCUMENT_IN_SOURCE.findall(line)
        if not (ROOT / name).exists()
    ]
    assert missing == []


def test_no_registry_and_no_machine_is_named() -> None:
    """No text file names a package registry's host, an index option, or a path of one machine."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word}"
        for path in _tracked()
        for number, line in _lines(path)
        for word in (*_REGISTRIES, *_MACHINE)
        if word in line
    ]
    assert found == []


def test_fenced_blocks_are_closed_and_say_what_they_hold() -> None:
    """Each fenced block names its language, and an even number of fences closes them all."""
    wrong = []
    for path in documents():
        text = path.read_text("utf-8")
        wrong += [
            f"{path.relative_to(ROOT)}:{block.line}" for block in blocks(text) if not block.language
        ]
        if len(re.findall(r"^ {0,3}```", text, re.MULTILINE)) % 2:
            wrong.append(f"{path.relative_to(ROOT)}: an open fence")
    assert wrong == []


def test_the_changelog_speaks_of_this_version() -> None:
    """The version of the package has a section, and so do the limits that users should know."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert re.search(rf"^## \[({re.escape(version[1])}|Unreleased)\]", text, re.MULTILINE)
    assert "### Known limits" in text


def test_the_decisions_are_numbered_without_a_gap() -> None:
    """Each decision has its number, and says what, why and what it costs."""
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(page.name[:3]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        parts = re.findall(r"^## (.*)$", page.read_text("utf-8"), re.MULTILINE)
        assert parts == ["What", "Why", "What it costs"], page.name


def test_both_readmes_show_the_same_commands() -> None:
    """The Chinese README has the shell blocks of the English one, in the same order."""
    english, chinese = (
        [block.text for block in blocks((ROOT / name).read_text("utf-8"))]
        for name in ("README.md", "README.zh-CN.md")
    )
    assert english == chinese
