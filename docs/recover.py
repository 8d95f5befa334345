#!/usr/bin/env python3
"""Take a database out of a dbops repository without dbops.

Needs Python 3.8 or newer and the programs age and zstd. The format is specified in
dbops/repository/FORMAT.md; docs/recovery.md says what to do with the files that this writes.
What is damaged is named and its file removed, the rest is written, and the exit status is 1.
Nothing that is printed holds a value from a row.
"""

import argparse
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ARMOR = b"-----BEGIN SSH SIGNATURE-----\n"
BLOCK = 1 << 18
SKIPPABLE = 0x184D2A5D
OPEN_PACKS = 16  # workers' packs interleave: to go to and fro between them must cost nothing
QUIET = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}


class Damaged(Exception):
    """What is wrong, and where."""


def output(*command, data=None):
    """What the command prints; nothing where it fails."""
    done = subprocess.run(command, check=False, input=data, **QUIET)
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def check_signature(path, signers):
    """Who signed the envelope; raises Damaged unless `signers` says that they may."""
    body, mark, armor = path.read_bytes().partition(ARMOR)
    with tempfile.TemporaryDirectory() as place:
        signature = Path(place, "signature")
        signature.write_bytes(mark + armor)
        tail = ("-f", signers, "-s", signature)
        names = output("ssh-keygen", "-Y", "find-principals", *tail).split() or [""]
        tail += ("-n", "dbops-manifest@v1", "-I", names[0])
        good = re.search(
            r" key (SHA256:\S+)", output("ssh-keygen", "-Y", "verify", *tail, data=body)
        )
    revoked = Path(signers).with_name("revoked")
    lines = revoked.read_text("utf-8").splitlines() if revoked.exists() else []
    banned = [line + " " + output("ssh-keygen", "-lf", "-", data=line.encode()) for line in lines]
    if not good or any(good[1] in line.split() for line in banned):
        raise Damaged(f"the signature of {path} is not one that {signers} trusts")
    return names[0]


def check_object(path, entry, title):
    """The object there is the one that the envelope names; else raises Damaged."""
    whole = hashlib.sha256()
    if path.is_file() and path.stat().st_size == entry["size"]:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(BLOCK), b""):
                whole.update(block)
    if whole.hexdigest() != entry["sha256"]:
        raise Damaged(f"{title} is missing, or not what the envelope names: {path}")


class Opened:
    """The plaintext of one age file, read forward."""

    def __init__(self, path, identity):
        command = ["age", "-d", "-i", identity, str(path)]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.position = 0

    def take(self, size):
        block = self.child.stdout.read(size)
        self.position += len(block)
        if len(block) != size:
            raise Damaged("the pack does not open with this identity, or ends early")
        return block

    def __del__(self):
        self.child.kill()
        self.child.communicate()


class Backup:
    """One backup, and the file of the identity that opens it."""

    def __init__(self, place, envelope, identity):
        self.place, self.envelope, self.identity = place, envelope, identity
        self.packs = {entry["sha256"]: entry for entry in envelope["packs"]}
        self.checked, self.open, self.key = set(), {}, b""

    def streams(self):
        """Each stream of the sealed catalogue with its ranges (500 bytes of memory for each)."""
        entry = self.envelope["catalogue"]
        path = self.place / "catalogue" / (entry["sha256"] + ".age")
        check_object(path, entry, "the catalogue")
        opened = Opened(path, self.identity)
        with subprocess.Popen(["zstd", "-dcq"], stdin=opened.child.stdout, **QUIET) as zstd:
            lines = enumerate(zstd.stdout)
            head = json.loads(next(lines, (0, b"{}"))[1])
            wanted = ["dbops-catalogue/1", self.envelope["database"], self.envelope["sequence"]]
            if [head.get(key) for key in ("format", "database", "sequence")] != wanted:
                raise Damaged("the catalogue does not open, or it is another backup's")
            self.key = bytes.fromhex(head["proof_key"])
            for number, line in lines:
                item = json.loads(line)
                if "stream" in item:
                    yield item, [json.loads(next(lines)[1]) for _ in range(item["ranges"])]
                elif item == {"lines": number} and next(lines, None) is None:
                    return
            raise Damaged("the catalogue is cut")

    def frame(self, stream, part):
        """The blocks of the compressed frame of one range."""
        index, pack, offset, length = part[:4]
        path = self.place / "pack" / pack[:2] / (pack + ".age")
        if pack not in self.checked:
            check_object(path, self.packs[pack], "the pack")
            self.checked.add(pack)
        opened = self.open.pop(pack, None)
        if opened is None or opened.position > offset:
            opened = Opened(path, self.identity)
        self.open[pack] = opened
        if len(self.open) > OPEN_PACKS:
            del self.open[next(iter(self.open))]
        while opened.position < offset:
            opened.take(min(BLOCK, offset - opened.position))
        magic, size = struct.unpack("<II", opened.take(8))
        about = json.loads(opened.take(size)) if (magic, size >> 20) == (SKIPPABLE, 0) else {}
        wanted = (1, self.envelope["database"], stream["payload"], stream["stream"], index)
        if tuple(map(about.get, ("format", "database", "payload", "stream", "range"))) != wanted:
            raise Damaged("the pack describes another range there")
        while opened.position < offset + length:
            yield opened.take(min(BLOCK, offset + length - opened.position))

    def copy(self, stream, number, part, file):
        """Append the range to the file; raises Damaged unless every byte of it is right."""
        index, _, _, _, digest, records, size, _ = part
        whole, left, lines = hashlib.blake2b(digest_size=32, key=self.key), size, 0
        with tempfile.TemporaryFile(dir=file.name.rpartition("/")[0]) as compressed:
            for block in self.frame(stream, part):
                compressed.write(block)
            compressed.seek(0)
            with subprocess.Popen(["zstd", "-dcq"], stdin=compressed, **QUIET) as zstd:
                while left >= 0 and (block := zstd.stdout.read(BLOCK)):
                    whole.update(block)
                    lines += block.count(b"\n")
                    left -= file.write(block)
        pages = size // int(stream["detail"].get("page_size", 1))
        counted = {"rows": lines, "pages": pages, "opaque": records}[stream["payload"]]
        found = (zstd.returncode, left, whole.hexdigest(), index, counted)
        if found != (0, 0, digest, number, records):
            raise Damaged("it is not what the catalogue says")

    def write(self, stream, ranges, target):
        """Afterwards the file holds the whole stream, checked and durable; else it is not there."""
        partial = target.with_name(target.name + ".part")
        part = [0, "?"]
        try:
            with partial.open("xb") as file:
                for number, part in enumerate(ranges):
                    self.copy(stream, number, part, file)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(target)
        except (Damaged, LookupError, TypeError, ValueError) as error:
            place = f"range {part[0]} of {stream['stream']} in pack {part[1][:16]}"
            raise Damaged(f"{place}: {error}") from None
        finally:
            if partial.exists():
                partial.unlink()


# What follows makes files for psql and pg_restore of a PostgreSQL backup's streams.

HEAD = r"""\set ON_ERROR_STOP on
\o /dev/null
\encoding {encoding}
SET search_path = ''; SET standard_conforming_strings = on; SET row_security = off;
SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET statement_timeout = 0;
"""
TABLE = r"""\copy {name}{columns} FROM '{file}' WITH (ENCODING '{encoding}')
SELECT 1 / (:ROW_COUNT = {rows})::int AS "divides by zero where rows of {file} are missing";
"""
SEQUENCES = r"""CREATE TEMPORARY TABLE s (a text, b text, c bigint, d boolean) ON COMMIT DROP;
\copy pg_temp.s FROM 'sequences.copy' WITH (ENCODING '{encoding}')
SELECT setval(format('%I.%I', a, b)::regclass, c, d) FROM pg_temp.s;
"""
OBJECTS = r"""CREATE TEMPORARY TABLE p (id oid, n bigint, b bytea) ON COMMIT DROP;
CREATE TEMPORARY TABLE o (id oid, own text, acl text, c text) ON COMMIT DROP;
\copy pg_temp.p FROM 'large-objects.copy'
\copy pg_temp.o FROM 'large-object-metadata.copy' WITH (ENCODING '{encoding}')
SELECT lo_create(id) FROM (SELECT DISTINCT id FROM pg_temp.p) AS each;
SELECT lo_put(id, n * 2048, b) FROM pg_temp.p WHERE n IS NOT NULL;
SELECT format('ALTER LARGE OBJECT %s OWNER TO %I', id, own),
  format('COMMENT ON LARGE OBJECT %s IS %L', id, c) FROM pg_temp.o \gexec
SELECT format('REVOKE ALL ON LARGE OBJECT %s FROM %I', id, own) FROM pg_temp.o WHERE acl > '' \gexec
SELECT format('GRANT %s ON LARGE OBJECT %s TO %s%s', privilege_type, id,
    coalesce((SELECT quote_ident(rolname) FROM pg_roles AS r WHERE r.oid = grantee), 'PUBLIC'),
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
  FROM pg_temp.o, aclexplode(acl::aclitem[]) \gexec
"""
FILES = {"schema": "schema.dump", "globals": "globals.sql", "sequences": "sequences.copy"}
PROVIDER = {"c": "libc", "i": "icu ICU_LOCALE {3}", "b": "builtin BUILTIN_LOCALE {3}"}
RAW = ["search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"]
BYTES = {0x10FE00 + byte: 0xDC00 + byte for byte in range(0x80, 0x100)}  # those that are no text


def quoted(text, mark='"'):
    return mark + (text or "").replace(mark, mark * 2) + mark


def database_commands(about):
    """What makes the database, called :name; then what gives it owner, grants and settings."""
    value = [quoted(about[key], "'") for key in ("encoding", "collate", "ctype", "locale", "rules")]
    locale = 'CREATE DATABASE :"name" TEMPLATE template0 ENCODING {0} LC_COLLATE {1} LC_CTYPE {2} '
    locale += "LOCALE_PROVIDER " + PROVIDER[about["provider"]]
    yield (locale + (" ICU_RULES {4}" if about["rules"] else "")).format(*value)
    this, owner = 'DATABASE :"DBNAME"', quoted(about["owner"])
    yield f"ALTER {this} OWNER TO {owner}"
    yield f"COMMENT ON {this} IS " + quoted(about["comment"], "'")
    yield f"ALTER {this} CONNECTION LIMIT {about['limit']}"
    if about["acl"] is not None:
        yield f"REVOKE ALL ON {this} FROM PUBLIC, {owner}"
    for _, grantee, privilege, grantable in about["acl"] or ():
        option = " WITH GRANT OPTION" * grantable
        yield f"GRANT {privilege} ON {this} TO {quoted(grantee) if grantee else 'PUBLIC'}{option}"
    for role, setting in about["settings"]:
        name, _, text = setting.partition("=")
        subject = f"ROLE {quoted(role)} IN {this}" if role else this
        text = text or "''" if name in RAW else quoted(text, "'")
        yield f"ALTER {subject} SET {quoted(name)} TO {text}"


def write_scripts(directory, about, tables):
    """Afterwards create.sql, load.sql and finish.sql stand there, in UTF-8."""
    create, *finish = [command + ";\n" for command in database_commands(about)]
    head = HEAD.format(encoding="SQL_ASCII" if about["encoding"] == "SQL_ASCII" else "UTF8")
    load = "".join(TABLE.format(encoding=about["encoding"], **table) for table in tables)
    load += SEQUENCES.replace("{encoding}", about["encoding"])
    load += OBJECTS.replace("{encoding}", about["encoding"])
    for name, text in (
        ("create", create),
        ("finish", head + "".join(finish)),
        ("load", head + load),
    ):
        data = text.translate(BYTES).encode("utf-8", "surrogateescape")
        (directory / f"{name}.sql").write_bytes(data)


def envelopes(repository):
    """Every envelope with its file, by name, oldest first. Nothing is verified here."""
    for path in sorted(Path(repository).glob("db/*/manifest/*")):
        found = json.loads(path.read_bytes().partition(ARMOR)[0])
        yield f"{found['database']}@{found['sequence']}", path, found


def show(options):
    for name, _, envelope in envelopes(options.repository):
        holders = ", ".join(f"{entry['role']} ({entry['name']})" for entry in envelope["sealed_to"])
        print(f"{name}  {envelope['snapshot']}  {envelope['server']}  opened by {holders}")
    return []


def extract(options):
    """Afterwards everything that is not damaged stands in the directory; returns what is."""
    named = [item for item in envelopes(options.repository) if item[0] == options.backup]
    if len(named) != 1:
        raise Damaged(f"{options.repository} holds {len(named)} backups called {options.backup}")
    [(_, path, envelope)] = named
    if options.verify_signature:
        print("signed by", check_signature(path, options.verify_signature))
    os.umask(0o077)
    Path(options.output, "tables").mkdir(parents=True)
    backup, tables, about, damages = Backup(path.parents[1], envelope, options.identity), [], {}, []
    for number, (stream, ranges) in enumerate(backup.streams()):
        name, detail, rows = stream["stream"], stream["detail"], sum(part[5] for part in ranges)
        file = FILES.get(name, f"{name}.copy")
        if stream["payload"] == "pages":
            file = f"{envelope['database']}.db"
        elif "columns" in detail:
            file = f"tables/{number:05d}-{re.sub('[^A-Za-z0-9_.-]', '', name)}.copy"
            columns = detail["columns"] and f" ({detail['columns']})"
            tables.append({"name": name, "columns": columns, "file": file, "rows": rows})
        try:
            backup.write(stream, ranges, Path(options.output, file))
            print(f"{file}: {rows} records, {sum(part[6] for part in ranges)} bytes")
        except Damaged as damage:
            damages.append(str(damage))
        about = about or json.loads(detail.get("database", "{}"))
    if about and not damages:
        write_scripts(Path(options.output), about, tables)
    return damages


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=("list", "extract"))
    parser.add_argument("repository", help="its directory")
    parser.add_argument("backup", nargs="?", help="for extract: DATABASE@SEQUENCE")
    parser.add_argument("-i", dest="identity", default="", help="file of the age identity")
    parser.add_argument("-o", dest="output", default="recovered", help="directory to make")
    parser.add_argument("--verify-signature", metavar="ALLOWED_SIGNERS")
    options = parser.parse_args()
    try:
        damages = extract(options) if options.command == "extract" else show(options)
    except (Damaged, OSError, ValueError) as error:
        damages = [error]
    for damage in damages:
        print(f"error: {damage}", file=sys.stderr)
    return 1 if damages else 0


if __name__ == "__main__":
    sys.exit(main())
