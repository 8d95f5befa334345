#!/usr/bin/env python3
"""Take a database out of a dbops repository without dbops.

Needs Python 3.8 or newer, its standard library only, and the programs age and zstd. The format is
specified in dbops/repository/FORMAT.md; what to do with the files is said in docs/recovery.md.

Every pack is checked against the sha256 in its envelope, every range against its keyed digest.
What is damaged is named and its file removed, the rest is written, and the exit status is 1.
Nothing that this program prints holds a value from a row; the files that it writes hold them all.
"""

import argparse
import codecs
import contextlib
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ARMOR = b"-----BEGIN SSH SIGNATURE-----\n"
BLOCK = 1 << 18
SKIPPABLE = 0x184D2A5D
OPEN_PACKS = 16  # parallel writers interleave their packs: going to and fro must cost nothing


class Damaged(Exception):
    """What is wrong, and where."""


def output(*command, data=None):
    """What the command prints; nothing where it fails."""
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
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
        good = re.search(r" key (SHA256:\S+)", output("ssh-keygen", "-Y", "verify", *tail, data=body))
    revoked = Path(signers).with_name("revoked")
    lines = revoked.read_text("utf-8").splitlines() if revoked.exists() else []
    banned = [line + " " + output("ssh-keygen", "-lf", "-", data=line.encode()) for line in lines]
    if not good or any(good[1] in line.split() for line in banned):
        raise Damaged(f"the signature of {path} is not one that {signers} trusts")
    return names[0]


def check_object(path, entry, title):
    """The path, where the object there is the one that the envelope names."""
    whole, size = hashlib.sha256(), 0
    if not path.is_file():
        raise Damaged(f"{title} is missing: {path}")
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            whole.update(block)
            size += len(block)
    if (size, whole.hexdigest()) != (entry["size"], entry["sha256"]):
        raise Damaged(f"{title} is damaged: {path} is not what the envelope names")
    return path


class Opened:
    """The plaintext of one age file, read forward."""

    def __init__(self, path, identity):
        command = ["age", "-d", "-i", str(identity), str(path)]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.position = 0

    def take(self, size):
        block = self.child.stdout.read(size)
        self.position += len(block)
        if len(block) != size:
            raise Damaged("the pack does not open with this identity, or ends early")
        return block

    def close(self):
        self.child.kill()
        self.child.stdout.close()
        self.child.wait()


class Backup:
    """One backup and what opens it."""

    def __init__(self, root, envelope, identity):
        self.place, self.envelope = root / "db" / envelope["database"], envelope
        self.identity, self.key = identity, b""
        self.packs = {entry["sha256"]: entry for entry in envelope["packs"]}
        self.checked, self.open = set(), {}

    def close(self):
        while self.open:
            self.open.popitem()[1].close()

    def streams(self):
        """Each stream of the sealed catalogue with its ranges (500 bytes of memory for each)."""
        entry = self.envelope["catalogue"]
        path = self.place / "catalogue" / (entry["sha256"] + ".age")
        opened = Opened(check_object(path, entry, "the catalogue"), self.identity)
        pipe = opened.child.stdout
        with subprocess.Popen(["zstd", "-dcq"], stdin=pipe, stdout=subprocess.PIPE) as zstd:
            try:
                yield from self.parsed(enumerate(zstd.stdout))
            finally:
                opened.close()

    def parsed(self, lines):
        head = json.loads(next(lines, (0, b"{}"))[1])
        wanted = ("dbops-catalogue/1", self.envelope["database"], self.envelope["sequence"])
        if tuple(map(head.get, ("format", "database", "sequence"))) != wanted:
            raise Damaged("the catalogue does not open with this identity, or is another backup's")
        self.key = bytes.fromhex(head["proof_key"])
        for number, line in lines:
            item = json.loads(line)
            if "stream" in item:
                yield item, [json.loads(next(lines, (0, b"[]"))[1]) for _ in range(item["ranges"])]
            elif item == {"lines": number}:
                return
        raise Damaged("the catalogue is cut")

    def frame(self, stream, part):
        """The blocks of the compressed frame of one range."""
        index, pack, offset, length = part[:4]
        if pack not in self.checked:
            path = self.place / "pack" / pack[:2] / (pack + ".age")
            check_object(path, self.packs[pack], "the pack")
            self.checked.add(pack)
        opened = self.open.pop(pack, None)
        if opened is None or opened.position > offset:
            if opened or len(self.open) >= OPEN_PACKS:
                (opened or self.open.pop(next(iter(self.open)))).close()
            opened = Opened(self.place / "pack" / pack[:2] / (pack + ".age"), self.identity)
        self.open[pack] = opened
        while opened.position < offset:
            opened.take(min(BLOCK, offset - opened.position))
        magic, size = struct.unpack("<II", opened.take(8))
        about = json.loads(opened.take(size)) if (magic, size >> 20) == (SKIPPABLE, 0) else {}
        wanted = (1, self.envelope["database"], stream["payload"], stream["stream"], index)
        if tuple(map(about.get, ("format", "database", "payload", "stream", "range"))) != wanted:
            raise Damaged("the pack describes another range there")
        while opened.position < offset + length:
            yield opened.take(min(BLOCK, offset + length - opened.position))

    def write(self, stream, ranges, target):
        """Afterwards the file holds the whole stream, checked and durable; else it is not there."""
        partial = target.with_name(target.name + ".part")
        trouble = []
        pipe = subprocess.PIPE
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(partial, "xb", opener=private))
            stack.callback(lambda: partial.exists() and partial.unlink())
            zstd = stack.enter_context(subprocess.Popen(["zstd", "-dcq"], stdin=pipe, stdout=pipe))
            arguments = (stream, ranges, zstd.stdin, trouble)
            feeder = threading.Thread(target=self.feed, args=arguments)
            feeder.start()
            stack.callback(feeder.join)
            stack.callback(zstd.kill)
            for number, part in enumerate(ranges):
                reason = self.copy(stream, number, part, zstd.stdout, file)
                if reason:
                    zstd.kill()
                    feeder.join()
                    part, reason = trouble[0] if trouble else (part, reason)
                    where = f"range {part[0]} of {stream['stream']} in pack {part[1][:16]}"
                    raise Damaged(f"{where}: {reason}")
            file.flush()
            os.fsync(file.fileno())
            partial.rename(target)

    def feed(self, stream, ranges, sink, trouble):
        part = []
        try:
            with sink:
                for part in ranges:
                    for block in self.frame(stream, part):
                        sink.write(block)
        except BrokenPipeError:
            pass  # whoever reads zstd's output knows why it ended
        except (Damaged, OSError, LookupError, ValueError) as error:
            trouble.append((part, str(error)))

    def copy(self, stream, number, part, source, file):
        """What is wrong with the range, or nothing."""
        index, _, _, _, digest, records, size, _ = part
        whole, left, lines = hashlib.blake2b(digest_size=32, key=self.key), size, 0
        while left:
            block = source.read(min(BLOCK, left))
            if not block:
                return "it does not decompress, or ends early"
            whole.update(block)
            lines += block.count(b"\n")
            file.write(block)
            left -= len(block)
        pages = size // int(stream["detail"].get("page_size", 1))
        counted = {"rows": lines, "pages": pages, "opaque": records}[stream["payload"]]
        if (whole.hexdigest(), index, counted) != (digest, number, records):
            return "it is not what the catalogue says"
        return ""


def private(path, flags):
    return os.open(path, flags, 0o600)


# What follows makes files for psql and pg_restore of a PostgreSQL backup's streams.

CREATE = r"""\set ON_ERROR_STOP on
SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L',
    :'name', d->>'encoding', d->>'collate', d->>'ctype')
  || CASE d->>'provider' WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', d->>'locale')
    WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', d->>'locale')
    ELSE CASE WHEN :SERVER_VERSION_NUM >= 150000 THEN ' LOCALE_PROVIDER libc' ELSE '' END END
  || coalesce(format(' ICU_RULES %L', d->>'rules'), '')
FROM (SELECT {about}::json AS d) AS source \gexec
"""
LOAD = r"""\set ON_ERROR_STOP on
\o /dev/null
\encoding {encoding}
SET search_path = ''; SET standard_conforming_strings = on; SET row_security = off;
SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET statement_timeout = 0;
"""
TABLE = r"""\copy {table}{columns} FROM '{file}'
SELECT 1 / (:ROW_COUNT = {rows})::int AS "divides by zero where rows of {file} are missing";
"""
SEQUENCES = r"""CREATE TEMPORARY TABLE s (a text, b text, c bigint, d boolean) ON COMMIT DROP;
\copy pg_temp.s FROM 'sequences.copy'
SELECT setval(format('%I.%I', a, b)::regclass, c, d) FROM pg_temp.s;
"""
LARGE_OBJECTS = r"""CREATE TEMPORARY TABLE p (id oid, n bigint, b bytea) ON COMMIT DROP;
\copy pg_temp.p FROM 'large-objects.copy'
SELECT lo_create(id) FROM (SELECT DISTINCT id FROM pg_temp.p) AS each;
SELECT lo_put(id, n * 2048, b) FROM pg_temp.p WHERE n IS NOT NULL;
"""
OWNERS = r"""CREATE TEMPORARY TABLE o (id oid, owner text, acl text, c text) ON COMMIT DROP;
\copy pg_temp.o FROM 'large-object-metadata.copy'
SELECT format('ALTER LARGE OBJECT %s OWNER TO %I', id, owner),
    format('COMMENT ON LARGE OBJECT %s IS %L', id, c) FROM pg_temp.o \gexec
SELECT format('REVOKE ALL ON LARGE OBJECT %s FROM %I', id, owner) FROM pg_temp.o
  WHERE acl > '' \gexec
SELECT format('SET LOCAL ROLE %I', pg_get_userbyid(grantor)),
    format('GRANT %s ON LARGE OBJECT %s TO %s', privilege_type, id, CASE grantee WHEN 0
      THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
    || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, 'RESET ROLE'
  FROM pg_temp.o, aclexplode(acl::aclitem[]) \gexec
"""
FINISH = r"""CREATE TEMPORARY TABLE d ON COMMIT DROP AS SELECT {about}::json AS d,
  format('DATABASE %I', current_database()) AS db, format('%I', {about}::json->>'owner') AS own;
SELECT format('ALTER %s OWNER TO %s', db, own), format('COMMENT ON %s IS %L', db, d->>'comment'),
    format('ALTER %s CONNECTION LIMIT %s', db, d->>'limit') FROM pg_temp.d \gexec
SELECT format('REVOKE ALL ON %s FROM PUBLIC, %s', db, own) FROM pg_temp.d
  WHERE json_typeof(d->'acl') = 'array' \gexec
SELECT format('SET LOCAL ROLE %I', g->>0), format('GRANT %s ON %s TO %s', g->>2, db,
      CASE g->>1 WHEN '' THEN 'PUBLIC' ELSE quote_ident(g->>1) END)
    || CASE g->>3 WHEN 'true' THEN ' WITH GRANT OPTION' ELSE '' END, 'RESET ROLE'
  FROM pg_temp.d, json_array_elements(CASE json_typeof(d->'acl') WHEN 'array' THEN d->'acl' END) AS g
  \gexec
SELECT format('ALTER %s %s SET %I TO %s', CASE s->>0 WHEN '' THEN '' ELSE
      format('ROLE %I IN', s->>0) END, db, split_part(s->>1, '=', 1), CASE WHEN s->>1 ~
      '^(search_path|temp_tablespaces|(local|session)_preload_libraries)=.' THEN '' ELSE '' END)
  FROM pg_temp.d, json_array_elements(d->'settings') AS s \gexec
"""
