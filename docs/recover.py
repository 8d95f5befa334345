#!/usr/bin/env python3
"""Take a database out of a dbops repository without dbops.

Needs Python 3.8 or newer, age and zstd. docs/recovery.md says what to do with the files that this
writes, dbops/repository/FORMAT.md what it reads. What is damaged is named and its file removed, the
rest is written, and the exit status is 1. Nothing that is printed holds a value from a row.
"""

import argparse
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

ARMOR = b"-----BEGIN SSH SIGNATURE-----\n"
BLOCK = 1 << 18
SKIPPABLE = bytes.fromhex("5d2a4d18")
OPEN_PACKS = 16
QUIET = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}


class Damaged(Exception):
    """What is wrong, and where."""


def output(*command, data=None):
    """What the command prints; nothing where it fails."""
    done = subprocess.run(command, check=False, input=data, **QUIET)
    return "" if done.returncode else done.stdout.decode("utf-8", "replace")


def unpacked(plain):
    """A child that unpacks the zstd frames from here on."""
    return subprocess.Popen(["zstd", "-dcq"], stdin=plain, **QUIET)


def check_signature(path, signers, finished):
    """Who signed the envelope; raises Damaged unless `signers` says that they might at the time."""
    body, mark, armor = path.read_bytes().partition(ARMOR)
    moment = datetime.strptime(finished, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)  # noqa: UP017 - for Python 3.8
    at = f"-Overify-time={moment.astimezone():%Y%m%d%H%M%S}"
    with tempfile.NamedTemporaryFile() as signature:
        signature.write(mark + armor)
        signature.flush()
        tail = ("-f", signers, "-s", signature.name, at)
        names = output("ssh-keygen", "-Y", "find-principals", *tail).split() or [""]
        tail += ("-n", "dbops-manifest@v1", "-I", names[0])
        verdict = output("ssh-keygen", "-Y", "verify", *tail, data=body)
    revoked = Path(signers).with_name("revoked")
    lines = revoked.read_text("utf-8").splitlines() if revoked.exists() else []
    banned = [line + " " + output("ssh-keygen", "-lf", "-", data=line.encode()) for line in lines]
    key = verdict.strip().rpartition(" ")[2]
    if not key or any(key in line.split() for line in banned):
        raise Damaged(f"the signature of {path} is not one that {signers} trusts")
    return names[0]


class Backup:
    """One backup, and the file of the identity that opens it."""

    def __init__(self, place, envelope, identity, output):
        self.place, self.envelope, self.identity = place, envelope, identity
        self.packs = {entry["sha256"]: entry for entry in envelope["packs"]}
        self.output, self.open, self.key = output, {}, b""

    def unsealed(self, path, entry):
        """A file without a name that holds the plaintext of an object; its bytes are checked."""
        whole = hashlib.sha256()
        if path.is_file() and path.stat().st_size == entry["size"]:
            with path.open("rb") as file:
                for block in iter(lambda: file.read(BLOCK), b""):
                    whole.update(block)
        if whole.hexdigest() != entry["sha256"]:
            raise Damaged(f"{path} is missing, or not what the envelope names")
        plain = tempfile.TemporaryFile(dir=self.output, buffering=0)  # noqa: SIM115 - kept open
        command = ["age", "-d", "-i", self.identity, str(path)]
        if subprocess.run(command, check=False, stdout=plain).returncode:
            raise Damaged(f"{path} does not open with this identity")
        plain.seek(0)
        return plain

    def streams(self):
        """Each stream of the sealed catalogue with its ranges (500 bytes of memory for each)."""
        entry = self.envelope["catalogue"]
        path = self.place / "catalogue" / (entry["sha256"] + ".age")
        with self.unsealed(path, entry) as plain, unpacked(plain) as zstd:
            lines = enumerate(map(json.loads, zstd.stdout))
            head = next(lines, (0, {}))[1]
            wanted = ["dbops-catalogue/1", self.envelope["database"], self.envelope["sequence"]]
            if [head.get(key) for key in ("format", "database", "sequence")] != wanted:
                raise Damaged("the catalogue is not this backup's")
            self.key = bytes.fromhex(head["proof_key"])
            for number, item in lines:
                if "stream" in item:
                    yield item, [row for _, row in itertools.islice(lines, item["ranges"])]
                elif item == {"lines": number} and next(lines, None) is None:
                    return
            raise Damaged("the catalogue is cut")

    def plaintext(self, pack):
        """The pack's plaintext; some stay open, because packs of parallel workers interleave."""
        if pack not in self.open:
            if len(self.open) >= OPEN_PACKS:
                self.open.pop(next(iter(self.open))).close()
            path = self.place / "pack" / pack[:2] / (pack + ".age")
            self.open[pack] = self.unsealed(path, self.packs[pack])
        return self.open[pack]

    def copy(self, stream, number, part, file):
        """Append the range to the file; raises Damaged unless every byte of it is right."""
        index, pack, offset, _, digest, records, size, _ = part
        plain = self.plaintext(pack)
        plain.seek(offset)
        magic, length = plain.read(4), int.from_bytes(plain.read(4), "little")
        about = json.loads(plain.read(length)) if magic == SKIPPABLE and length < 1 << 20 else {}
        wanted = [1, self.envelope["database"], stream["payload"], stream["stream"], number]
        if [about.get(k) for k in ("format", "database", "payload", "stream", "range")] != wanted:
            raise Damaged("the pack describes another range there")
        whole, left, lines = hashlib.blake2b(digest_size=32, key=self.key), size, 0
        with unpacked(plain) as zstd:
            while left and (block := zstd.stdout.read(min(BLOCK, left))):
                whole.update(block)
                lines += block.count(b"\n")
                left -= file.write(block)
        pages = size // int(stream["detail"].get("page_size", 1))
        counted = {"rows": lines, "pages": pages, "opaque": records}[stream["payload"]]
        if (whole.hexdigest(), left, index, counted) != (digest, 0, number, records):
            raise Damaged("it is not what the catalogue says")

    def write(self, stream, ranges, target):
        """Afterwards the file holds the whole stream, checked and durable; else it is not there."""
        target.parent.mkdir(exist_ok=True)
        partial = target.with_name(target.name + ".part")
        part = [len(ranges), "?"]
        try:
            with partial.open("xb") as file:
                for number, part in enumerate(ranges):
                    self.copy(stream, number, part, file)
                file.flush()
                os.fsync(file.fileno())
            if len(ranges) != stream["ranges"]:
                raise Damaged("the catalogue is cut")
            partial.rename(target)
        except (Damaged, LookupError, TypeError, ValueError) as error:
            partial.unlink()
            place = f"range {part[0]} of {stream['stream']} in pack {part[1][:16]}"
            raise Damaged(f"{place}: {error}") from None


# What makes a database of a PostgreSQL backup's files, with pg_restore between the parts.
HEAD = r"""\set ON_ERROR_STOP on
\o /dev/null
\encoding %s
SET search_path = ''; SET standard_conforming_strings = on; SET row_security = off;
SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET statement_timeout = 0;
"""
TABLE = r"""\copy {name} {listed} FROM '{file}' WITH (ENCODING '{encoding}')
SELECT 1 / (:ROW_COUNT = {rows})::int; -- divides by zero where rows are missing
"""
ODD_TABLE = r"""CREATE TEMPORARY TABLE x AS SELECT {columns} FROM {name} WITH NO DATA;
\copy pg_temp.x FROM '{file}' WITH (ENCODING '{encoding}')
INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT * FROM pg_temp.x;
SELECT 1 / (:ROW_COUNT = {rows})::int; DROP TABLE pg_temp.x;
"""
SEQUENCES = r"""CREATE TEMPORARY TABLE s (a text, b text, c bigint, d boolean) ON COMMIT DROP;
\copy pg_temp.s FROM 'sequences.copy' WITH (ENCODING '%s')
SELECT setval(format('%%I.%%I', a, b)::regclass, c, d) FROM pg_temp.s;
"""
OBJECTS = r"""CREATE TEMPORARY TABLE p (id oid, n bigint, b bytea) ON COMMIT DROP;
\copy pg_temp.p FROM 'large-objects.copy'
SELECT lo_create(id) FROM (SELECT DISTINCT id FROM pg_temp.p) AS each;
SELECT lo_truncate64(lo_open(id, 393216), n * 2048) FROM pg_temp.p WHERE b = '';
SELECT lo_put(id, n * 2048, b) FROM pg_temp.p WHERE b <> '';
"""
OWNERS = r"""COMMIT;
CREATE TEMPORARY TABLE o (id oid, own text, acl text, c text);
\copy pg_temp.o FROM 'large-object-metadata.copy' WITH (ENCODING '%s')
SELECT format('ALTER LARGE OBJECT %%s OWNER TO %%I', id, own),
  format('COMMENT ON LARGE OBJECT %%s IS %%L', id, c) FROM pg_temp.o \gexec
SELECT format('REVOKE ALL ON LARGE OBJECT %%s FROM %%I', id, own)
  FROM pg_temp.o WHERE acl > '' \gexec
SELECT format('GRANT %%s ON LARGE OBJECT %%s TO %%s%%s', privilege_type, id,
    coalesce((SELECT quote_ident(rolname) FROM pg_roles AS r WHERE r.oid = grantee), 'PUBLIC'),
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
  FROM pg_temp.o, aclexplode(acl::aclitem[]) \gexec
"""
CREATE = r"""\set ON_ERROR_STOP on
CREATE DATABASE :"name" TEMPLATE template0 ENCODING {encoding}
  LC_COLLATE {collate} LC_CTYPE {ctype} LOCALE_PROVIDER """
PROVIDER = {"c": "libc", "i": "icu ICU_LOCALE {locale}", "b": "builtin BUILTIN_LOCALE {locale}"}
RAW = ["search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"]
FILES = {"schema": "schema.dump", "globals": "globals.sql", "objects": "objects.jsonl"}
BYTES = {0x10FE00 + byte: 0xDC00 + byte for byte in range(0x80, 0x100)}  # those that are no text


def quoted(text, mark='"'):
    return mark + text.replace(mark, mark * 2) + mark


def write_scripts(directory, about, tables):
    """Afterwards create.sql, load.sql and finish.sql stand there."""
    this, owner, encoding = 'DATABASE :"DBNAME"', quoted(about["owner"]), about["encoding"]
    create = CREATE + PROVIDER[about["provider"]] + " ICU_RULES {rules}" * bool(about["rules"])
    finish = f"ALTER {this} OWNER TO {owner};\nALTER {this} CONNECTION LIMIT {about['limit']};\n"
    finish += f"COMMENT ON {this} IS " + quoted(about["comment"] or "", "'") + ";\n"
    finish += f"REVOKE ALL ON {this} FROM PUBLIC, {owner};\n" * (about["acl"] is not None)
    for _, grantee, privilege, grantable in about["acl"] or ():
        finish += f"GRANT {privilege} ON {this} TO {quoted(grantee) if grantee else 'PUBLIC'}"
        finish += " WITH GRANT OPTION;\n" if grantable else ";\n"
    for role, setting in about["settings"]:
        name, _, text = setting.partition("=")
        finish += f"ALTER ROLE {quoted(role)} IN {this}" if role else f"ALTER {this}"
        value = (text or "''") if name in RAW else quoted(text, "'")
        finish += f" SET {quoted(name)} TO {value};\n"
    head, load = HEAD % ("SQL_ASCII" if encoding == "SQL_ASCII" else "UTF8"), ""
    for table in tables:  # \copy must stand on one line
        odd = re.search("[\r\n]", table["name"] + table["columns"])
        load += (ODD_TABLE if odd else TABLE).format(encoding=encoding, **table)
    for name, text in {
        "create": create.format(**{key: quoted(str(about[key]), "'") for key in about}) + ";\n",
        "load": head + "BEGIN;\n" + load + SEQUENCES % encoding + OBJECTS + OWNERS % encoding,
        "finish": head + finish,
    }.items():
        data = text.translate(BYTES).encode("utf-8", "surrogateescape")
        (directory / f"{name}.sql").write_bytes(data)


def envelopes(repository):
    """Every envelope with its file, by name, oldest first. Nothing is verified here."""
    for path in sorted(Path(repository).glob("db/*/manifest/*")):
        found = json.loads(path.read_bytes().partition(ARMOR)[0])
        yield f"{path.parents[1].name}@{int(path.name[:8])}", path, found


def extract(options):
    """Afterwards everything that is not damaged stands in the directory."""
    named = [item[1:] for item in envelopes(options.repository) if item[0] == options.backup]
    path, envelope = named[0] if len(named) == 1 else (Path(), {})
    if f"{envelope.get('database')}@{envelope.get('sequence')}" != options.backup:
        raise Damaged(f"{options.repository} does not hold one backup called {options.backup}")
    signers = options.verify_signature
    verdict = signers and "signed by " + check_signature(path, signers, envelope["finished"])
    print(verdict or "not verified: who signed this backup")
    os.umask(0o077)
    Path(options.output).mkdir(parents=True)
    backup = Backup(path.parents[1], envelope, options.identity, options.output)
    tables, about, damages = [], "", 0
    for number, (stream, ranges) in enumerate(backup.streams()):
        name, detail, rows = stream["stream"], stream["detail"], sum(part[5] for part in ranges)
        plain = re.sub("[^A-Za-z0-9_.-]", "", name)
        file = FILES.get(name, f"{plain}.copy")
        if stream["payload"] == "pages":
            file = f"{envelope['database']}.db"
        elif "columns" in detail:
            file = f"tables/{number:05d}-{plain}.copy"
            table = {"name": name, "columns": detail["columns"], "file": file, "rows": rows}
            tables.append({**table, "listed": detail["columns"] and f"({detail['columns']})"})
        about = detail.get("database", about)
        try:
            backup.write(stream, ranges, Path(options.output, file))
            print(f"{file}: {rows} records, {sum(part[6] for part in ranges)} bytes")
        except Damaged as damage:
            damages += 1
            print(f"error: {damage}", file=sys.stderr)
    if damages:
        raise Damaged(f"{damages} streams of {options.backup} are damaged")
    if about:
        write_scripts(Path(options.output), json.loads(about), tables)


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
        if options.command == "extract":
            return extract(options)
        for name, _, envelope in envelopes(options.repository):
            holders = [f"{entry['role']} ({entry['name']})" for entry in envelope["sealed_to"]]
            print(name, envelope["snapshot"], envelope["server"], "for", ", ".join(holders))
    except (Damaged, OSError, ValueError, LookupError, TypeError) as error:
        return f"error: {error}"


if __name__ == "__main__":
    sys.exit(main())
