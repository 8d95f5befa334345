"""A PostgreSQL installation of a test's own, with an extension that has configuration tables.

No extension that ships with the server has such tables, and a test has no business in the system's
directories. A server finds its extensions beside its own program, so a small tree will do: the
programs that a server is started with as copies, all the rest as links.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import psycopg

_COPIED = ("postgres", "initdb", "pg_ctl")
_CONTROL = "comment = 'codes of the hospital'\ndefault_version = '1.0'\nrelocatable = false\n"
_SCRIPT = """
CREATE TABLE @extschema@.code (
    id serial PRIMARY KEY, name text NOT NULL, builtin boolean NOT NULL DEFAULT false
);
INSERT INTO @extschema@.code (name, builtin) VALUES ('shipped', true), ('also shipped', true);
CREATE TABLE @extschema@.mode (name text PRIMARY KEY, value text);
CREATE TABLE @extschema@.fixed (id integer PRIMARY KEY, note text);
INSERT INTO @extschema@.fixed VALUES (1, 'as shipped');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.code', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.code_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.mode', '');
"""


def with_own_extension(connection: psycopg.Connection[Any], target: Path) -> Path:
    """Below `target` is the installation of this server and `hospital_codes`; return its programs.

    `target` must be an empty directory that the server's account can read.
    """
    rows = connection.execute("SELECT name, setting FROM pg_config").fetchall()
    places = {name: Path(setting) for name, setting in rows}
    programs, shared = places["BINDIR"], places["SHAREDIR"]
    root = Path(os.path.commonpath([programs, shared, places["PKGLIBDIR"]]))
    _mirror(programs, target / programs.relative_to(root), copied=_COPIED)
    _mirror(shared, target / shared.relative_to(root), left_out=("extension",))
    extensions = target / shared.relative_to(root) / "extension"
    _mirror(shared / "extension", extensions)
    for library in {places["LIBDIR"], places["PKGLIBDIR"], programs.parent / "lib"}:
        own = target / library.relative_to(root)
        if library.is_dir() and not own.exists():
            own.parent.mkdir(parents=True, exist_ok=True)
            own.symlink_to(library)
    (extensions / "hospital_codes.control").write_text(_CONTROL, "ascii")
    (extensions / "hospital_codes--1.0.sql").write_text(_SCRIPT, "ascii")
    return target / programs.relative_to(root)


def _mirror(
    source: Path, target: Path, *, copied: tuple[str, ...] = (), left_out: tuple[str, ...] = ()
) -> None:
    target.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.name in copied:
            shutil.copy2(entry, target / entry.name)
        elif entry.name not in left_out:
            (target / entry.name).symlink_to(entry)
