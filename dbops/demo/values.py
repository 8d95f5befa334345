"""Makers of column values: each makes a whole column of a batch of rows at once.

Column by column is several times faster than row by row, and a hospital must be there in seconds.
Everything comes from the batch's own random numbers: the same batch gives the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import TypeVar

from dbops.demo.vocabulary import GIVEN, GIVEN_OR_NONE, PLACES, SENTENCES, SURNAMES

Value = int | float | str | bytes | None
T = TypeVar("T")

HISTORY = tuple((date(2024, 7, 1) + timedelta(days=day)).isoformat() for day in range(730))
TIMES = tuple(f"{n % 24:02d}:{n * 7 % 60:02d}:{n * 11 % 60:02d}" for n in range(480))
BIRTHS = tuple(f"{1935 + n % 90}{n % 12 + 1:02d}{n % 28 + 1:02d}" for n in range(1260))


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows `first` … `first + count - 1` of one table, and what their values come from.

    `days` are the days they happened on; `keys` holds the keys of each table they may refer to.
    """

    rng: Random
    first: int
    count: int
    days: Sequence[str]
    keys: Mapping[str, Sequence[Value]]

    def pick(self, values: Sequence[T]) -> list[T]:
        """Return one of `values` for each row."""
        return self.rng.choices(values, k=self.count)


Maker = Callable[[Batch], Sequence[Value]]


def serial(batch: Batch) -> range:
    """The row's own number."""
    return range(batch.first, batch.first + batch.count)


def numbered(prefix: str, digits: int = 8) -> Maker:
    """A business number, unique because it is made from the row's own number."""

    def make(batch: Batch) -> list[Value]:
        return [f"{prefix}{number:0{digits}d}" for number in serial(batch)]

    return make


def listed(words: Sequence[str]) -> Maker:
    """The words in turn; from the second time round with a number, so that they stay distinct."""

    def word(index: int) -> str:
        turn, place = divmod(index, len(words))
        return words[place] + (f"（{turn + 1}）" if turn else "")

    return lambda batch: [word(number - 1) for number in serial(batch)]


def one_of(*values: Value) -> Maker:
    """One of the values, each as likely as it is often named."""
    return lambda batch: batch.pick(values)


def reference(table: str) -> Maker:
    """The key of some row of `table`."""
    return lambda batch: batch.pick(batch.keys[table])


def sometimes(maker: Maker, share: float) -> Maker:
    """What `maker` makes for `share` (0 to 1) of the rows, NULL for the others."""

    def make(batch: Batch) -> list[Value]:
        return [value if batch.rng.random() < share else None for value in maker(batch)]

    return make


def whole(low: int, high: int) -> Maker:
    """A whole number from `low` to `high`, both included."""
    return lambda batch: _whole_numbers(batch, low, high)


def _whole_numbers(batch: Batch, low: int, high: int) -> list[int]:
    """Several times faster than randint for each, and even enough for a demo."""
    span = high - low + 1
    return [low + int(batch.rng.random() * span) for _ in range(batch.count)]


def decimal(low: float, high: float, places: int = 2) -> Maker:
    """A number between `low` and `high`."""

    def make(batch: Batch) -> list[Value]:
        return [round(low + batch.rng.random() * (high - low), places) for _ in range(batch.count)]

    return make


def day(batch: Batch) -> list[Value]:
    """A day, in ascending order as rows are entered."""
    return [*sorted(batch.pick(batch.days))]


def moment(batch: Batch) -> list[Value]:
    """A day and time, in ascending order as rows are entered."""
    pairs = zip(batch.pick(batch.days), batch.pick(TIMES), strict=True)
    return [*sorted(f"{on} {at}" for on, at in pairs)]


def person(batch: Batch) -> list[Value]:
    """A name by chance: a surname and one or two characters."""
    parts = (batch.pick(SURNAMES), batch.pick(GIVEN), batch.pick(GIVEN_OR_NONE))
    return [surname + first + second for surname, first, second in zip(*parts, strict=True)]


def id_number(batch: Batch) -> list[Value]:
    """An identity number that cannot exist: no region code begins with 99."""
    regions = _whole_numbers(batch, 0, 9999)
    ends = _whole_numbers(batch, 0, 9999)
    parts = zip(regions, batch.pick(BIRTHS), ends, strict=True)
    return [f"99{region:04d}{birth}{end:04d}" for region, birth, end in parts]


def phone(batch: Batch) -> list[Value]:
    """A telephone number that cannot exist: no mobile number begins with 100."""
    return [f"100{number:08d}" for number in _whole_numbers(batch, 0, 99_999_999)]


def address(batch: Batch) -> list[Value]:
    """A house in a city that does not exist."""
    houses = _whole_numbers(batch, 1, 300)
    rooms = _whole_numbers(batch, 101, 2604)
    parts = zip(batch.pick(PLACES), houses, rooms, strict=True)
    return [f"{place}{house}号{room}室" for place, house, room in parts]


def note(low: int, high: int) -> Maker:
    """Running text of `low` to `high` fragments of about 80 bytes each."""

    def make(batch: Batch) -> list[Value]:
        fragments = _fragments(batch.rng)
        lengths = _whole_numbers(batch, low, high)
        return ["".join(batch.rng.choices(fragments, k=length)) for length in lengths]

    return make


def _fragments(rng: Random) -> list[str]:
    """Prepare pieces of text with figures in them, to be turned over instead of written anew."""
    plain = ["".join(rng.choices(SENTENCES, k=2)) for _ in range(48)]
    figures = [
        f"体温{rng.uniform(36, 39.5):.1f}℃，脉搏{rng.randint(56, 128)}次/分，"
        f"血压{rng.randint(92, 178)}/{rng.randint(52, 106)}mmHg，"
        for _ in range(48)
    ]
    return plain + figures


def picture(low: int, high: int) -> Maker:
    """A thumbnail of `low` to `high` bytes: a JPEG's marks around bytes that do not compress."""

    def make(batch: Batch) -> list[Value]:
        sizes = _whole_numbers(batch, low, high)
        return [b"\xff\xd8\xff\xe0" + batch.rng.randbytes(size - 6) + b"\xff\xd9" for size in sizes]

    return make


def octets(size: int) -> Maker:
    """`size` bytes, such as a digest or a fingerprint."""
    return lambda batch: [batch.rng.randbytes(size) for _ in range(batch.count)]
