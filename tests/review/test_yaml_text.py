"""Strict YAML: one text, one meaning, and the line of whatever has two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.errors import Refused
from dbops.review.yaml_text import (
    DEPTH_MOST,
    EVENTS_MOST,
    SIZE_MOST,
    Fields,
    Items,
    Scalar,
    parse_yaml,
)


def refusal(text: str | bytes) -> Refused:
    """How the text is refused."""
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(Refused) as caught:
        parse_yaml(data, "repair.yml")
    return caught.value


def test_a_document_is_texts_with_their_lines() -> None:
    """Nothing is resolved: numbers, booleans, times and nothing at all stay texts."""
    tree = parse_yaml(b'a: 012\nb: [no, "no", 2026-11-23]\nc:\n  d: ~\n  e:\n', "x.yml")
    assert tree == Fields(
        1,
        {
            "a": Scalar(1, "012", quoted=False),
            "b": Items(
                2,
                (
                    Scalar(2, "no", quoted=False),
                    Scalar(2, "no", quoted=True),
                    Scalar(2, "2026-11-23", quoted=False),
                ),
            ),
            "c": Fields(
                4,
                {"d": Scalar(4, "~", quoted=False), "e": Scalar(5, "", quoted=False)},
                {"d": 4, "e": 5},
            ),
        },
        {"a": 1, "b": 2, "c": 3},
    )


def test_block_texts_keep_their_lines() -> None:
    """A script inside a manifest reads as it is written, and Chinese stays Chinese."""
    tree = parse_yaml("why: |\n  病区\n  wrong\n".encode(), "x.yml")
    assert isinstance(tree, Fields)
    assert tree.fields["why"] == Scalar(1, "病区\nwrong\n", quoted=True)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("a: 1\na: 2\n", "yaml-duplicate", "repair.yml line 2: the key a is there twice"),
        ('a: 1\n"a": 2\n', "yaml-duplicate", "repair.yml line 2: the key a is there twice"),
        ("a: &x 1\n", "yaml-anchor", "repair.yml line 1: an anchor stands there"),
        ("a: 1\n&x b: 1\n", "yaml-anchor", "repair.yml line 2: an anchor stands there"),
        ("a: *x\n", "yaml-alias", "repair.yml line 1: an alias stands for a value written"),
        ("a: !!str 1\n", "yaml-tag", "repair.yml line 1: a tag stands there"),
        ("a: ! 1\n", "yaml-tag", "repair.yml line 1: a tag stands there"),
        ("a: !!python/object:os.system {}\n", "yaml-tag", "repair.yml line 1: a tag stands there"),
        ("<<: {a: 1}\n", "yaml-merge", "repair.yml line 1: a merge key stands there"),
        ("a: 1\n---\nb: 1\n", "yaml-documents", "repair.yml line 2: a second document begins"),
        ("%YAML 1.1\n---\na: 1\n", "yaml-directive", "repair.yml line 1: a directive stands there"),
        ("[a]: 1\n", "yaml-key", "repair.yml line 1: a key is not a text"),
        ("? \n: 1\n", "yaml-key", "repair.yml line 1: a key is not a text"),
        ("", "yaml-empty", "repair.yml line 1: there is no document"),
        ("# nothing\n", "yaml-empty", "repair.yml line 2: there is no document"),
        ("a: [1\n", "yaml-syntax", "repair.yml line 2: expected ',' or ']'"),
        ("a: b: c\n", "yaml-syntax", "repair.yml line 1: mapping values are not allowed here"),
        ('a: "\\u202E"\n', "yaml-escape", "repair.yml line 1: an escape stands for a hidden"),
        ('a: "\\ud800"\n', "yaml-escape", "repair.yml line 1: an escape stands for a hidden"),
        ('"\\0": a\n', "yaml-escape", "repair.yml line 1: an escape stands for a hidden"),
        ("a: 1\r\n", "text-hidden", "repair.yml line 1 holds the hidden character U+000D"),
        ("\ufeffa: 1\n", "text-hidden", "repair.yml line 1 holds the hidden character U+FEFF"),
        ("a: 1\nb: \u202e2\n", "text-hidden", "repair.yml line 2 holds the hidden character"),
        ("a: 1\0\n", "text-hidden", "repair.yml line 1 holds the hidden character U+0000"),
        ("a: 1", "text-end", "repair.yml does not end with a newline, so it may be cut short"),
    ],
)
def test_what_has_two_meanings_is_refused(text: str, code: str, message: str) -> None:
    """Each trap of YAML is refused by its own code, with its line."""
    fault = refusal(text)
    assert fault.code == code
    assert fault.message.startswith(message)


def test_bounds() -> None:
    """Deep and large documents are refused before they cost anything."""
    assert refusal("[" * (DEPTH_MOST + 1) + "]" * (DEPTH_MOST + 1) + "\n").code == "yaml-depth"
    assert refusal("[" * 100_000 + "\n").code == "yaml-depth"
    assert refusal(b"a" * (SIZE_MOST + 1)).code == "yaml-long"
    assert refusal("[" + "a," * EVENTS_MOST + "]\n").code == "yaml-long"
    assert refusal('a: "\\u200B"\n').code == "yaml-escape"
    assert refusal(b"a: \xff\n").code == "text-encoding"


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%#?,\n \t~<", max_size=40))
def test_arbitrary_texts_parse_or_are_refused(text: str) -> None:
    """Whatever stands in the file, there is a tree or a refusal, and no other error."""
    code = ""
    try:
        parse_yaml(f"{text}\n".encode(), "x.yml")
    except Refused as fault:
        code = fault.code
    assert code.startswith(("yaml-", "text-")) or not code
