"""Scratch clusters are copies of one that the true `initdb` made of the same words.

Making a cluster takes most of a second of a processor, and hundreds of tests need one that is
fresh. So `PATH` begins with directories of PostgreSQL's own programs, where only `initdb` is a
script: it keeps what the true one made, and copies that. dbops finds these as it would any other.
The servers of `pg15` and `pg17`, and the clusters of tests about clusters, are the true one's.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from dbops.engines.postgresql.account import Account, account_to_run, can_run
from dbops.engines.postgresql.binaries import SERVER_TOOLS, Installation, find_installations
from dbops.errors import DbopsError

_PLACE = pytest.StashKey[Path]()
_PREFIX = "dbops-test-servers-"
_KEPT = "kept"
# Whoever may not write there, or says other words, has the true program. Of two who come first at
# once, one loses what it made.
_INITDB = """\
#!/bin/sh
true={true}
kept={kept}
[ "$1" = -D ] && [ -w "$kept" ] || exec "$true" "$@"
data=$2
shift 2
model=$kept/$(printf %s "$*" | cksum | tr ' ' -)
if [ ! -d "$model" ]; then
    fresh=$kept/new.$$
    mkdir "$fresh" || exit
    "$true" -D "$fresh" "$@" || exit
    mv -T "$fresh" "$model" 2>/dev/null || rm -r "$fresh"
fi
[ -d "$model" ] || exec "$true" -D "$data" "$@"
exec cp -a "$model/." "$data/"
"""


def pytest_configure(config: pytest.Config) -> None:
    """Lay the programs out, once for all workers: they inherit PATH."""
    if hasattr(config, "workerinput"):
        return
    try:
        account = account_to_run(None)
    except DbopsError:
        return  # the tests that need a server will say so
    _sweep(Path(tempfile.gettempdir()))
    place = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    place.chmod(0o755)
    config.stash[_PLACE] = place
    laid = [_lay_out(place, one, account) for one in _servers(find_installations())]
    os.environ["PATH"] = os.pathsep.join([*map(str, laid), os.environ["PATH"]])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing of it is left."""
    place = config.stash.get(_PLACE, None)
    if place is not None:
        shutil.rmtree(place, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """What a run that was killed left there is gone: it is a hundred megabytes."""
    if not Path("/proc/self").exists():
        return  # nobody can tell who lives
    for left in parent.glob(f"{_PREFIX}*-*"):
        owner = left.name.removeprefix(_PREFIX).partition("-")[0]
        if left.stat().st_uid == os.geteuid() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)


def is_prepared(installation: Installation) -> bool:
    """Whether its `initdb` copies what the true one made."""
    return (installation.bindir.parent / _KEPT).is_dir()


def prepared(installation: Installation) -> Installation:
    """The same programs with such an `initdb`, where there are any."""
    found = (one for one in find_installations() if is_prepared(one))
    return next((one for one in found if one.version == installation.version), installation)


def _servers(found: Iterable[Installation]) -> list[Installation]:
    """The preferred server of each major version, where its programs lie apart from others."""
    chosen: dict[int, Installation] = {}
    for one in found:
        if one.has(SERVER_TOOLS) and one.bindir.name == "bin" and not is_prepared(one):
            chosen.setdefault(one.major, one)
    return list(chosen.values())


def _lay_out(place: Path, installation: Installation, account: Account | None) -> Path:
    """The directory of programs: a server looks for its libraries beside it, so those are there."""
    origin = installation.bindir.parent
    if not can_run(installation, account):  # what lies below /root, nobody else can read
        origin = shutil.copytree(origin, place / f"programs-{installation.major}", symlinks=True)
    tree = place / str(installation.major)
    programs, kept = tree / "bin", tree / _KEPT
    for directory in (tree, programs, kept):
        directory.mkdir()
    if account is not None:
        os.chown(kept, account.uid, account.gid)
    beside = (entry for entry in origin.iterdir() if entry.name != "bin")
    for entry in (*beside, *(origin / "bin").glob("p[gs]*")):
        (tree / entry.relative_to(origin)).symlink_to(entry)
    shutil.copy2(origin / "bin" / "postgres", programs)
    script = programs / "initdb"
    true = shlex.quote(str(origin / "bin" / "initdb"))
    script.write_text(_INITDB.format(true=true, kept=shlex.quote(str(kept))), "utf-8")
    script.chmod(0o755)
    return programs
