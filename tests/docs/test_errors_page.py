"""`docs/reference/errors.md` lists every error code of the source, and no other."""

from __future__ import annotations

import re

from tests.docs.error_codes import find_codes
from tests.docs.markdown import ROOT

PAGE = ROOT / "docs/reference/errors.md"
_ROW = re.compile(r"^\| `([^`]+)` \| (\S.*) \|$", re.MULTILINE)


def test_the_page_lists_every_code_of_the_source() -> None:
    """Each code that can be raised has a row; one that nothing raises has none."""
    listed = {code for code, _ in _ROW.findall(PAGE.read_text("utf-8"))}
    raised = set(find_codes(ROOT / "dbops"))
    assert (sorted(raised - listed), sorted(listed - raised)) == ([], []), "missing, left over"


def test_codes_are_kebab_case() -> None:
    """A code of the page is made of lower-case words and hyphens: scripts can match it as it is."""
    codes = [code for code, _ in _ROW.findall(PAGE.read_text("utf-8"))]
    assert codes
    odd = [code for code in codes if not re.fullmatch(r"[a-z0-9…]+(-[a-z0-9…]+)*", code)]
    assert odd == []
