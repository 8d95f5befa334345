"""Lines in a sealed file: age around one zstd frame around lines, streamed both ways.

`age -d -i KEY FILE | zstd -d` prints them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Final, cast

import zstandard

from dbops.crypto.age import BlockSink, Identity, OpeningReader, Recipient, SealingWriter
from dbops.errors import Failed

BLOCK: Final = 1 << 20
LINE_MOST: Final = 256 << 20  # bytes
_LEVEL: Final = 3


@contextmanager
def sealed_lines(
    sink: BlockSink, recipients: Sequence[Recipient]
) -> Iterator[Callable[[bytes], None]]:
    """Give a function that takes lines, each without its newline; then `sink` holds a whole file.

    Where the block is left by an exception, or the process dies, the sink may hold a file that
    opens and lacks lines: whoever owns it discards it, and a reader asks for a last line.
    """
    # The checksum shows damage even to those who have no age file any more, but what was in it.
    frame = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    with SealingWriter(sink, recipients) as sealed:

        def write(line: bytes) -> None:
            if block := frame.compress(line + b"\n"):
                sealed.write(block)

        yield write
        sealed.write(frame.flush())


def opened_lines(
    source: BinaryIO, identities: Sequence[Identity], name: str, damaged: Callable[[str], Failed]
) -> Iterator[bytes]:
    """Yield the lines without their newlines, as `zstd -d` reads them.

    They are authentic, and all of them once the iterator has ended; a frame that was cut short
    does not show, so that the last line has to say that it is the last.

    Raises NoIdentity where none of the identities opens the file, and what `damaged` makes of a
    reason where it is not whole. Memory: the longest line, 256 MiB at most.
    """
    try:
        with OpeningReader(source, identities, name) as opened:
            frame = zstandard.ZstdDecompressor().stream_reader(
                cast("BinaryIO", opened), read_size=BLOCK, read_across_frames=True, closefd=False
            )
            yield from _lines(io.BufferedReader(cast("io.RawIOBase", frame), BLOCK), damaged)
    except zstandard.ZstdError:
        raise damaged("it does not decompress") from None
    except Failed as failure:
        if failure.code == "sealed-damaged":
            raise damaged("it does not decrypt") from None
        raise


def _lines(frame: io.BufferedReader, damaged: Callable[[str], Failed]) -> Iterator[bytes]:
    while line := frame.readline(LINE_MOST):
        if not line.endswith(b"\n"):
            raise damaged("its last line has no end, or one is too long")
        yield line[:-1]
