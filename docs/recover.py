#!/usr/bin/env python3
"""Take a database out of a dbops repository without dbops.

Needs Python 3.8 or newer, its standard library only, and the programs age and zstd. The format is
specified in dbops/repository/FORMAT.md; what to do with the files is said in docs/recovery.md.

Every pack is checked against the sha256 in its envelope, every range against its keyed digest.
What is damaged is named, its file is removed, the rest is still written, and the exit status is 1.
No output of this program holds a value from a row; the files that it writes hold them all.
"""

from __future__ import annotations

import argparse
import codecs
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


def run(*command, data=None):
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def sha256(path):
    whole = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            whole.update(block)
    return whole.hexdigest()


def check_object(path, entry, title):
    if not path.is_file():
        raise Damaged(f"{title} is missing: {path}")
    if path.stat().st_size != entry["size"] or sha256(path) != entry["sha256"]:
        raise Damaged(f"{title} is damaged: {path} is not what the envelope names")


def check_signature(path, signers):
    """Who signed the envelope; raises Damaged unless `signers` trusts them to."""
    body, mark, armor = path.read_bytes().partition(ARMOR)
    with tempfile.TemporaryDirectory() as place:
        signature = Path(place, "signature")
        signature.write_bytes(mark + armor)
        tail = ("-f", signers, "-s", signature)
        names = run("ssh-keygen", "-Y", "find-principals", *tail).split()
        tail += ("-n", "dbops-manifest@v1", "-I", names[0] if names else "nobody")
        good = re.search(r" key (SHA256:\S+)", run("ssh-keygen", "-Y", "verify", *tail, data=body))
    revoked = Path(signers).with_name("revoked")
    lines = revoked.read_text("utf-8").splitlines() if revoked.exists() else []
    banned = [run("ssh-keygen", "-lf", "-", data=line.encode()) + line for line in lines]
    if not good or any(good[1] in line.split() for line in banned):
        raise Damaged(f"the signature of {path.name} is not one that {signers} trusts")
    return names[0]


def envelopes(root, database="*"):
    """Every envelope with its file, oldest first."""
    for path in sorted(root.glob(f"db/{database}/manifest/*")):
        yield path, json.loads(path.read_bytes().partition(ARMOR)[0])


class Cursor:
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


class Packs:
    """Finds payload frames in sealed packs; each pack is checked before its first byte is used."""

    def __init__(self, root, envelope, identity):
        self.place, self.identity = root / "db" / envelope["database"] / "pack", identity
        self.envelope = envelope
        self.entries = {entry["sha256"]: entry for entry in envelope["packs"]}
        self.checked, self.cursors = set(), {}

    def at(self, pack, offset):
        if pack not in self.entries:
            raise Damaged("the envelope does not name this pack")
        path = self.place / pack[:2] / f"{pack}.age"
        if pack not in self.checked:
            check_object(path, self.entries[pack], "the pack")
            self.checked.add(pack)
        cursor = self.cursors.pop(pack, None)
        if cursor is not None and cursor.position > offset:
            cursor.close()
            cursor = None
        if len(self.cursors) >= OPEN_PACKS:
            self.cursors.pop(next(iter(self.cursors))).close()
        self.cursors[pack] = cursor = cursor or Cursor(path, self.identity)
        while cursor.position < offset:
            cursor.take(min(BLOCK, offset - cursor.position))
        return cursor

    def frame(self, stream, payload, part):
        """The blocks of the compressed frame of the range."""
        index, pack, offset, length = part[:4]
        cursor = self.at(pack, offset)
        magic, size = struct.unpack("<II", cursor.take(8))
        if magic != SKIPPABLE or size > 1 << 20:
            raise Damaged("no description stands there")
        about = json.loads(cursor.take(size))
        wanted = (1, payload, self.envelope["database"], stream, index)
        keys = ("format", "payload", "database", "stream", "range")
        if tuple(about[key] for key in keys) != wanted:
            raise Damaged("the pack describes another range there")
        end = offset + length
        while cursor.position < end:
            yield cursor.take(min(BLOCK, end - cursor.position))

    def close(self):
        while self.cursors:
            self.cursors.popitem()[1].close()


class Backup:
    """One backup, opened."""

    def __init__(self, root, envelope, identity):
        self.root, self.envelope, self.identity = root, envelope, identity
        self.packs = Packs(root, envelope, identity)
        self.key = b""

    def streams(self):
        """Each stream of the sealed catalogue with its ranges, and the counted tables at the end.

        Memory: the ranges of one stream, some 500 bytes for each 2 MiB of a table.
        """
        entry = self.envelope["catalogue"]
        place = self.root / "db" / self.envelope["database"] / "catalogue"
        path = place / f"{entry['sha256']}.age"
        check_object(path, entry, "the catalogue")
        cursor = Cursor(path, self.identity)
        command = ["zstd", "-dcq"]
        zstd = subprocess.Popen(command, stdin=cursor.child.stdout, stdout=subprocess.PIPE)
        try:
            yield from self._parse(enumerate(zstd.stdout))
        except (StopIteration, RuntimeError, ValueError, KeyError):
            raise Damaged("the catalogue does not open with this identity, or is cut") from None
        finally:
            zstd.stdout.close()
            zstd.wait()
            cursor.close()

    def _parse(self, lines):
        head = json.loads(next(lines)[1])
        found = (head["format"], head["database"], head["sequence"])
        if found != ("dbops-catalogue/1", self.envelope["database"], self.envelope["sequence"]):
            raise Damaged("the catalogue belongs to another backup")
        self.key = bytes.fromhex(head["proof_key"])
        for number, line in lines:
            item = json.loads(line)
            if "stream" in item:
                yield item, [json.loads(next(lines)[1]) for _ in range(item["ranges"])]
            elif "lines" in item:
                if item["lines"] != number or next(lines, None) is not None:
                    raise Damaged("the catalogue's end counts other lines")
                return
        raise Damaged("the catalogue is cut")

    def write(self, stream, ranges, target):
        """Afterwards the file holds the whole stream, checked and durable; else it is not there."""
        partial = target.with_name(target.name + ".part")
        zstd = subprocess.Popen(["zstd", "-dcq"], stdin=-1, stdout=-1, stderr=subprocess.DEVNULL)
        trouble = []
        feeder = threading.Thread(target=self._feed, args=(stream, ranges, zstd.stdin, trouble))
        feeder.start()
        try:
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                for number, part in enumerate(ranges):
                    self._copy(stream, number, part, zstd.stdout, file)
                if ranges and zstd.stdout.read(1):
                    raise Damaged(f"{stream['stream']} goes on after its last range")
                file.flush()
                os.fsync(file.fileno())
            partial.rename(target)
        except Damaged as damage:
            zstd.kill()
            feeder.join()
            raise (trouble or [damage])[0] from None
        finally:
            zstd.kill()
            feeder.join()
            zstd.stdout.close()
            zstd.wait()
            if partial.exists():
                partial.unlink()

    def _feed(self, stream, ranges, sink, trouble):
        part = [0, ""]
        try:
            with sink:
                for part in ranges:
                    for block in self.packs.frame(stream["stream"], stream["payload"], part):
                        sink.write(block)
        except BrokenPipeError:
            pass  # whoever reads zstd's output knows why it ended
        except Exception as error:  # carried to the thread that writes
            trouble.append(damaged(stream, part, error))

    def _copy(self, stream, number, part, source, file):
        index, _, _, _, digest, records, size, _ = part
        whole, left, lines, block = hashlib.blake2b(digest_size=32, key=self.key), size, 0, b"\n"
        while left:
            block = source.read(min(BLOCK, left))
            if not block:
                raise damaged(stream, part, "it does not decompress, or ends early")
            whole.update(block)
            lines += block.count(b"\n")
            file.write(block)
            left -= len(block)
        pages = size / int(stream["detail"].get("page_size", 1))
        counted = {"rows": lines, "pages": pages, "opaque": records}.get(stream["payload"])
        if whole.hexdigest() != digest or index != number or counted != records:
            raise damaged(stream, part, "it is not what the catalogue says")
