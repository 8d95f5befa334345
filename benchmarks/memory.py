"""The peak memory of a backup: `python -m benchmarks.memory [sqlite|postgresql] [MEGABYTES]`.

Prints one line of Markdown for benchmarks/README.md. Fails where the limit is exceeded: 300 MB,
plus four times the largest row, for all processes of `dbops backup run --jobs 2` together.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import watch
from benchmarks.sources import NAME, SOURCES, Source

LIMIT = 300_000_000
LARGE_ROW = 20  # megabytes; PostgreSQL only


def measure(engine: str, source: Source) -> str:
    """One backup; returns the line."""
    command = [sys.executable, "-m", "dbops", "--estate", str(source.root)]
    start = time.monotonic()
    process = subprocess.Popen(
        [*command, "backup", "run", NAME, "--jobs", "2"], stdout=subprocess.PIPE, text=True
    )
    peak = watch(process)
    out, _ = process.communicate()
    seconds = time.monotonic() - start
    limit = LIMIT + 4 * source.largest_row
    assert process.returncode == 0, out
    assert peak.memory < limit, f"{peak.memory} of {limit} bytes"
    read = out.partition("  ")[2].partition(" read")[0]
    megabytes = [f"{count / 1e6:.0f} MB" for count in (source.largest_row, peak.memory, limit)]
    return f"| {engine} | {read} | {' | '.join(megabytes)} | {seconds:.0f} s |"


def main() -> None:
    """Measure one engine."""
    engine = sys.argv[1] if len(sys.argv) > 1 else "postgresql"
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory(prefix="dbops-benchmark-") as place:
        with SOURCES[engine](Path(place) / "estate", size, LARGE_ROW) as source:
            print(measure(engine, source))


if __name__ == "__main__":
    main()
