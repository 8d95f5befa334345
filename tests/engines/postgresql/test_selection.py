"""What restoring does without a server: names of tables split, streams cut into portions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.engines.postgresql.large_objects import portions
from dbops.engines.postgresql.selection import split_name
from dbops.errors import UsageFault


@given(
    st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\0", b"\n")), max_size=20),
    st.integers(1, 60),
)
def test_portions_are_the_same_bytes_in_whole_lines(blocks: list[bytes], size: int) -> None:
    """However a stream is cut into blocks, its portions end at line ends and lose nothing."""
    whole = b"".join(blocks)
    cut = list(portions(blocks, size))
    assert b"".join(cut) == whole
    assert all(portion.endswith(b"\n") for portion in cut[:-1])


@given(st.text(min_size=1), st.text(min_size=1))
def test_quoted_names_are_split_as_they_were_joined(schema: str, table: str) -> None:
    """Every name with quotes around both parts is read back."""
    name = '"{}"."{}"'.format(schema.replace('"', '""'), table.replace('"', '""'))
    assert split_name(name) == (schema, table)


@pytest.mark.parametrize("name", ["", "a.b.c", '"a', "a.", '"a"b', ".a"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """A name that could mean several things means none."""
    with pytest.raises(UsageFault) as failure:
        split_name(name)
    assert failure.value.message == f"not the name of a table: {name}"
