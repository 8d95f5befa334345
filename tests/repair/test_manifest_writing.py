"""What is written as YAML reads back as the same tree, and is pleasant to read."""

from __future__ import annotations

from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.repair.manifest_writing import Tree, document_text, located
from dbops.review.yaml_text import Fields, Items, Located, Scalar, parse_yaml

_KEYS = st.text("abcdefghij_", min_size=1, max_size=8)
_TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=126), max_size=200
) | st.sampled_from(
    [
        "null",
        "~",
        "no",
        "- a",
        "a: b",
        "#c",
        "'",
        '"',
        "'\"",
        "等待",
        "|",
        ">-",
        "a\nb",
        " a",
        "a  b",
    ]
)
_TREES = st.recursive(
    _TEXTS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4).map(tuple)
        | st.dictionaries(_KEYS, inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


def plain(node: Located) -> object:
    """The tree without its lines."""
    match node:
        case Scalar():
            return node.text
        case Items():
            return tuple(map(plain, node.items))
        case Fields():
            return {key: plain(each) for key, each in node.fields.items()}


@settings(max_examples=40)
@given(st.dictionaries(_KEYS, _TREES, min_size=1, max_size=5))
def test_what_is_written_reads_back(tree: dict[str, object]) -> None:
    """Whatever the texts hold that YAML gives a meaning to."""
    fields = located(cast("Tree", tree))
    assert isinstance(fields, Fields)
    text = document_text(fields)
    assert plain(parse_yaml(text.encode(), "x.yml")) == tree


def test_long_texts_are_folded() -> None:
    """A long query is read line by line, not in a line that runs out of the screen."""
    fields = located({"before": ({"check": "a", "sql": " ".join(["SELECT"] * 30)},)})
    assert isinstance(fields, Fields)
    assert document_text(fields) == (
        "before:\n"
        "  - check: a\n"
        "    sql: >-\n"
        f"      {' '.join(['SELECT'] * 13)}\n"
        f"      {' '.join(['SELECT'] * 13)}\n"
        f"      {' '.join(['SELECT'] * 4)}\n"
    )


def test_text_in_quotes_keeps_them() -> None:
    """So that an empty text, and one that looks like nothing at all, stay texts."""
    fields = located({"a": "", "b": "null"})
    assert isinstance(fields, Fields)
    assert document_text(fields) == 'a: ""\nb: null\n'
    quoted = Fields(0, {"b": located("null", quoted=True)}, {"b": 0})
    assert document_text(quoted) == 'b: "null"\n'
