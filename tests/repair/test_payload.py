"""The sealed payload: every value comes back as it went in, or the file is refused."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dbops.crypto.age import Identity, OpeningReader, SealingWriter
from dbops.errors import Failed, NoIdentity, Refused
from dbops.repair.manifest import Limits, Repair
from dbops.repair.parameter import Argument, Parameter, ParameterType
from dbops.repair.payload import (
    Payload,
    RowSet,
    arguments_of,
    check_columns,
    open_payload,
    seal_payload,
)
from dbops.repair.table import Row
from dbops.review.work import Risk
from dbops.sql.script import parse_script

ONE, TWO = Identity.generate(), Identity.generate()
SECRET = "王小明 110101199003070000"


def sealed(payload: Payload, *identities: Identity) -> bytes:
    """The payload's file."""
    sink = io.BytesIO()
    seal_payload(payload, [each.recipient for each in identities or (ONE,)], sink)
    return sink.getvalue()


def sealed_text(*lines: object) -> bytes:
    """A file of these lines, whatever they are."""
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return sealed_bytes(zstandard.compress(text))


def sealed_bytes(data: bytes) -> bytes:
    """A file that opens to these bytes."""
    sink = io.BytesIO()
    with SealingWriter(sink, [ONE.recipient]) as writer:
        writer.write(data)
    return sink.getvalue()


def read(
    payload: Payload,
) -> tuple[dict[str, str | None], dict[str, tuple[tuple[str, ...], list[Row]]]]:
    """All of a payload as plain values."""
    rows = {name: (each.columns, list(each.rows)) for name, each in payload.rows.items()}
    return dict(payload.arguments), rows


def repair_of(*parameters: Parameter) -> Repair:
    """A repair with these parameters."""
    return Repair(
        id="w-1",
        title="t",
        author="a",
        ticket=None,
        risk=Risk.LOW,
        database="his",
        opened=None,
        cause=None,
        parameters={each.name: each for each in parameters},
        limits=Limits(1, timedelta(seconds=1), timedelta(seconds=1)),
    )


def refusal(repair: Repair, payload: Payload | None) -> Refused:
    """How the payload is refused."""
    with pytest.raises(Refused) as caught:
        arguments_of(repair, payload)
    return caught.value


VALUES = st.none() | st.binary(max_size=20) | st.text(max_size=20).map(str.encode)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)


@st.composite
def payloads(draw: st.DrawFn) -> Payload:
    """Any payload."""
    names = draw(st.lists(NAMES, unique=True, max_size=5))
    cut = draw(st.integers(0, len(names)))
    texts = st.none() | st.text(max_size=20)
    rows = {}
    for name in names[cut:]:
        columns = tuple(draw(st.lists(NAMES, unique=True, min_size=1, max_size=3)))
        row = st.tuples(*(VALUES for _ in columns))
        rows[name] = RowSet(columns, draw(st.lists(row, max_size=4)))
    return Payload({name: draw(texts) for name in names[:cut]}, rows)


@settings(max_examples=50)
@given(payloads())
def test_every_value_comes_back(payload: Payload) -> None:
    """NULL, empty, any bytes, in order, read twice."""
    opened = open_payload(sealed(payload), [ONE])
    assert read(opened) == read(payload)
    assert read(opened) == read(payload)


def test_each_recipient_opens_it_and_nobody_else() -> None:
    """The file names who opens it by keys only."""
    data = sealed(Payload({"patient": SECRET}), ONE, TWO)
    assert [open_payload(data, [each]).arguments for each in (ONE, TWO)] == [
        {"patient": SECRET}
    ] * 2
    with pytest.raises(NoIdentity, match=r"no identity at hand opens payload\.age"):
        open_payload(data, [Identity.generate()])


def test_what_is_opened_is_plain_lines() -> None:
    """Any JSON reader can read what age and zstd open."""
    data = sealed(Payload({"patient": "王"}, {"lost": RowSet(("id", "b"), [(b"1", b"\xff")])}))
    with OpeningReader(io.BytesIO(data), [ONE], "x") as opened:
        text = zstandard.ZstdDecompressor().decompressobj().decompress(opened.read(1 << 20))
    assert text.decode().splitlines() == [
        '{"dbops":"payload/v1","arguments":{"patient":"王"},"sets":{"lost":["id","b"]}}',
        '{"rows":"lost"}',
        '["1",{"hex":"ff"}]',
        '{"end":{"lost":1}}',
    ]


def test_no_value_is_shown_by_accident() -> None:
    """What a debugger or a log prints of a payload, sealed or open, are names."""
    payload = Payload({"patient": SECRET}, {"lost": RowSet(("id",), [(SECRET.encode(),)])})
    shown = repr(payload) + repr(open_payload(sealed(payload), [ONE]))
    assert "lost" in shown
    assert SECRET not in shown
    assert ONE.secret not in shown


def test_rows_are_streamed() -> None:
    """Memory does not grow with the rows: neither where they are sealed nor where they are read."""

    def rows() -> Iterator[Row]:
        for number in range(4_000):
            yield (str(number).encode(), b"%d" % number * 1200)

    tracemalloc.start()
    data = sealed(Payload({}, {"lost": RowSet(("id", "note"), rows())}))
    opened = open_payload(data, [ONE])
    count = sum(1 for _ in opened.rows["lost"].rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 4_000
    assert peak < 6 << 20  # the rows have 17 MiB


@pytest.mark.parametrize(
    "payload",
    [
        Payload({"Patient": "x"}),
        Payload({"a b": "x"}),
        Payload({"lost": "x"}, {"lost": RowSet(("id",), [])}),
        Payload({}, {"lost": RowSet((), [])}),
        Payload({}, {"lost": RowSet(("id", "id"), [])}),
        Payload({}, {"lost": RowSet(("ID",), [])}),
        Payload({}, {"lost": RowSet(("id",), [(b"1", b"2")])}),
    ],
)
def test_what_no_script_can_name_is_not_sealed(payload: Payload) -> None:
    """Names are those of placeholders, and each row has a value for each column."""
    with pytest.raises(ValueError, match="payload"):
        seal_payload(payload, [ONE.recipient], io.BytesIO())


HEAD: Mapping[str, object] = {"dbops": "payload/v1", "arguments": {}, "sets": {"lost": ["id"]}}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (sealed_text(HEAD, {"rows": "lost"}, ["1"]), "its last line is missing"),
        (sealed_text(HEAD, {"rows": "lost"}), "its last line is missing"),
        (sealed_text(HEAD), "its last line is missing"),
        (sealed_text(HEAD, {"end": {}}), "its last line counts other rows"),
        (
            sealed_text(HEAD, {"rows": "lost"}, ["1"], {"end": {"lost": 2}}),
            "its last line counts other rows",
        ),
        (
            sealed_text(HEAD, {"rows": "lost"}, {"end": {"lost": 0}}, ["1"]),
            "a line follows its last",
        ),
        (
            sealed_text(HEAD, {"rows": "lost"}, {"rows": "lost"}, {"end": {"lost": 0}}),
            "a set of rows begins twice",
        ),
        (sealed_text(HEAD, {"rows": "found"}), "a line has no such form"),
        (sealed_text(HEAD, ["1"]), "a line has no such form"),
        (sealed_text(HEAD, {"rows": "lost"}, ["1", "2"]), "a line has no such form"),
        (sealed_text(HEAD, {"rows": "lost"}, "1"), "a line has no such form"),
        (sealed_text(HEAD, {"rows": "lost"}, [1]), "a value has no such form"),
        (sealed_text(HEAD, {"rows": "lost"}, [{"hex": "xy"}]), "a value has no such form"),
        (sealed_text(), "a line is no json"),
        (sealed_text([]), "its first line has no such form"),
        (sealed_text({**HEAD, "dbops": "payload/v2"}), "its first line has no such form"),
        (sealed_text({**HEAD, "more": 1}), "its first line has no such form"),
        (sealed_text({**HEAD, "arguments": {"a": 1}}), "its first line has no such form"),
        (sealed_text({**HEAD, "arguments": {"lost": "1"}}), "its first line has no such form"),
        (sealed_text({**HEAD, "sets": {"lost": "id"}}), "its first line has no such form"),
        (sealed_bytes(b"no zstd"), "it does not decompress"),
        (
            sealed_bytes(zstandard.compress(json.dumps(HEAD).encode())),
            "its last line has no end, or one is too long",
        ),
        (
            sealed_bytes(zstandard.compress(b"x\n" * 9)[:-3]),
            "a line is no json",
        ),
        (sealed(Payload())[:-1], "it does not decrypt"),
        (b"no age file", "it does not decrypt"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(data: bytes, reason: str) -> None:
    """However it came about; the error says what is wrong and shows nothing."""
    with pytest.raises(Failed) as caught:
        open_payload(data, [ONE])
    fault = caught.value
    assert (fault.code, fault.message) == (
        "payload-damaged",
        f"payload.age is damaged: {reason}",
    )


def test_what_follows_the_end_is_refused() -> None:
    """Neither a second payload nor anything else hides behind the first."""
    whole = zstandard.compress(
        b'{"dbops":"payload/v1","arguments":{},"sets":{}}\n{"end":{}}\n', level=3
    )
    assert open_payload(sealed_bytes(whole), [ONE]) == Payload()
    for more, reason in ((whole, "a line follows its last"), (b"x", "it does not decompress")):
        with pytest.raises(Failed, match=f"damaged: {reason}"):
            open_payload(sealed_bytes(whole + more), [ONE])


TEXT, NUMBER, ROWS = ParameterType.TEXT, ParameterType.INTEGER, ParameterType.ROWS
PATIENT = Parameter("patient", TEXT, None, sealed=True, line=12)
COUNT = Parameter("n", NUMBER, None, sealed=True, line=13)
LOST = Parameter("lost", ROWS, None, sealed=True, line=14)
WARD = Parameter("ward", TEXT, "OLD", line=15)
VISITS = Parameter("visits", ParameterType.TABLE, "his.visit", line=16)


def test_arguments_come_from_the_manifest_and_the_payload() -> None:
    """Identifiers and rows are no values to bind; NULL is one, where it is sealed."""
    payload = Payload({"patient": None, "n": "7"}, {"lost": RowSet(("id",), [])})
    assert arguments_of(repair_of(PATIENT, COUNT, LOST, WARD, VISITS), payload) == {
        "patient": Argument(TEXT, None),
        "n": Argument(NUMBER, "7"),
        "ward": Argument(TEXT, "OLD"),
    }
    assert arguments_of(repair_of(WARD), None) == {"ward": Argument(TEXT, "OLD")}


@pytest.mark.parametrize(
    ("parameter", "payload", "message", "hint"),
    [
        (
            COUNT,
            Payload({"n": SECRET}),
            "line 13: the parameter n has no integer",
            "allowed: a whole number of 64 bits, such as 38 or -7",
        ),
        (
            PATIENT,
            Payload(),
            "line 12: the parameter patient is sealed, and has no value in payload.age",
            "seal the payload again, with a value for it",
        ),
        (
            LOST,
            Payload(),
            "line 14: the parameter lost is sealed, and has no value in payload.age",
            "seal the payload again, with a value for it",
        ),
        (
            PATIENT,
            None,
            "line 12: the parameter patient is sealed, and payload.age is not open",
            "name an identity that opens payload.age: --identity FILE",
        ),
        (
            WARD,
            Payload({"ward": SECRET}),
            "line 1: payload.age has values for ward, which is not sealed or of another type",
            "declare it so, or seal the payload again",
        ),
        (
            PATIENT,
            Payload({"patient": SECRET, "other": SECRET}),
            "line 1: payload.age has values for other, which is not sealed or of another type",
            "declare it so, or seal the payload again",
        ),
        (
            PATIENT,
            Payload({"patient": SECRET}, {"patient": RowSet(("id",), [])}),
            "line 12: payload.age has values for patient, which is not sealed or of another type",
            "declare it so, or seal the payload again",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    parameter: Parameter, payload: Payload | None, message: str, hint: str
) -> None:
    """The error names the parameter and its line, never the value."""
    fault = refusal(repair_of(parameter), payload)
    assert (fault.code, fault.message) == ("repair-param", f"repairs/w-1/repair.yml {message}")
    assert fault.hint == hint
    assert SECRET not in f"{fault.message}{fault.hint}"


def test_the_columns_that_a_script_names_are_there() -> None:
    """Else the script would stop in the middle."""
    script = parse_script(b"SELECT 1;\nSELECT :lost.id, :lost.note;\n", "repair.sql")
    whole = Payload({}, {"lost": RowSet(("note", "id"), [])})
    check_columns(repair_of(LOST), script, whole)
    for payload, names in ((Payload({}, {"lost": RowSet(("id",), [])}), "id"), (None, "none")):
        with pytest.raises(Refused) as caught:
            check_columns(repair_of(LOST), script, payload)
        column = "note" if payload else "id"
        assert caught.value.code == "repair-param"
        assert caught.value.message == (
            f"repairs/w-1/repair.sql line 2: the rows of lost have no column {column}"
        )
        assert caught.value.hint == f"payload.age has the columns {names}"
