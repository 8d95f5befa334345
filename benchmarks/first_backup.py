"""How long a first backup takes, beside the plainest pipe that also compresses and encrypts.

`python -m benchmarks.first_backup [MEGABYTES] [ROUNDS]` alternates `dbops backup run --jobs 2` and
`pg_dump -Fp | zstd -1 | age` on the same database and prints the medians and their ratio. Every
backup of dbops is a full one here, with proof and witness; the pipe proves nothing.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sources import NAME, Source, postgresql_source
from dbops.engines.postgresql.binaries import client_for, find_installations

PIPE = 'set -eo pipefail; "$1" -Fp "$2" | zstd -q -1 | age -r "$3" > "$4"; sync "$4"'


def run_dbops(source: Source) -> float:
    """Seconds of one backup."""
    command = [sys.executable, "-m", "dbops", "--estate", str(source.root)]
    start = time.monotonic()
    subprocess.run([*command, "backup", "run", NAME, "--jobs", "2", "--quiet"], check=True)
    return time.monotonic() - start


def run_pipe(source: Source) -> float:
    """Seconds of one dump through the pipe, made durable like a backup."""
    key = (source.root / "hospital" / "recovery").read_text().split("public key: ")[1].split()[0]
    tool = client_for(15, find_installations()).tool("pg_dump")
    conninfo = " ".join(f"{name}={value}" for name, value in source.server.items())
    target = source.root / "dump.age"
    start = time.monotonic()
    subprocess.run(["bash", "-c", PIPE, "bash", tool, conninfo, key, target], check=True)
    seconds = time.monotonic() - start
    target.unlink()
    return seconds


def main() -> None:
    """Measure and print."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory(prefix="dbops-benchmark-") as place:
        with postgresql_source(Path(place) / "estate", size, 1) as source:
            run_pipe(source)  # warms the server's cache for both
            pairs = [(run_dbops(source), run_pipe(source)) for _ in range(rounds)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"| {size} MB | {rounds} | {ours:.1f} s | {theirs:.1f} s | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
