#!/usr/bin/env python3
"""Verify a ledger of dbops, or a proof of one entry, without dbops.

Needs Python 3.9 or newer and, for signatures, openssl (1.1.1 or newer) and ssh-keygen (8.1 or
newer). Takes the ledger's own directory or an export of it. dbops/audit/FORMAT.md says what it
reads. Prints one line for each finding, VERDICT code entry: message, and ends with 0 where there
is none, with 4 where there is one, and with 2 where there is nothing to verify.
"""

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

HEAD = re.compile(
    rb'\{"v":1,"seq":(0|[1-9]\d{0,17}),"prev":"([0-9a-f]{64})",'
    rb'"at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)","event":"([a-z.]+)","phase":"([a-z]+)"'
    rb'(?:,"of":(\d+))?,'
)
END = re.compile(rb'.*,"tool":"[^"\\\x00-\x1f]*"\}', re.DOTALL)
NAME = re.compile(r"(\d{12})\.jsonl")
TIME = "%Y-%m-%dT%H:%M:%SZ"
SIGNER = re.compile(r'(\S+) ((?:[a-z-]+="[^"]*",?)+) (\S+) (\S+)')
DER = bytes.fromhex("302a300506032b6570032100")  # an Ed25519 public key follows: RFC 8410
NOBODY = bytes(32)


class Refused(Exception):
    """Why a file does not count."""


def leaf(line):
    return hashlib.sha256(b"\0" + line).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """RFC 9162 §2.1, growing; the roots at the sizes in `asked` are kept."""

    def __init__(self, asked):
        self.size, self.peaks, self.asked = 0, [], asked
        self.roots = {0: hashlib.sha256().digest()}

    def add(self, digest):
        level = 0
        while self.size >> level & 1:
            digest, level = node(self.peaks.pop(), digest), level + 1
        self.peaks.append(digest)
        self.size += 1
        if self.size in self.asked:
            self.roots[self.size] = self.root()

    def root(self):
        root = self.peaks[-1] if self.peaks else self.roots[0]
        for peak in self.peaks[-2::-1]:
            root = node(peak, root)
        return root


def leads_to(digest, index, size, path, root):
    """RFC 9162 §2.1.3.2."""
    left, right, rest = index, size - 1, list(path)
    while rest and right:
        if left & 1 or left == right:
            digest = node(rest.pop(0), digest)
            while not left & 1 and left:
                left, right = left >> 1, right >> 1
        else:
            digest = node(digest, rest.pop(0))
        left, right = left >> 1, right >> 1
    return index < size and not rest and not right and digest == root


class Trust:
    """`allowed_signers` and `revoked` in a directory, as they count at `now`."""

    def __init__(self, directory, now):
        self.at = f"-Overify-time={now.astimezone():%Y%m%d%H%M%S}"
        self.file, self.keys = directory / "allowed_signers", []
        gone = directory / "revoked"
        words = gone.read_text("utf-8").split() if gone.exists() else []
        self.revoked = set(words)
        for word in words:
            if word.startswith("AAAA"):
                self.revoked.add(fingerprint(base64.b64decode(word)))
        for line in self.file.read_text("utf-8").splitlines():
            found = SIGNER.match(line)
            if found:
                options = dict(re.findall(r'([a-z-]+)="([^"]*)"', found[2]))
                blob = base64.b64decode(found[4])
                after, before = map(options.get, ("valid-after", "valid-before"))
                valid = moment(after or "20000101Z") <= now <= moment(before or "99980101Z")
                ledger = "dbops-checkpoint@v1" in options.get("namespaces", "").split(",")
                counts = valid and ledger and fingerprint(blob) not in self.revoked
                if counts and found[3] == "ssh-ed25519":
                    self.keys.append(blob[-32:])

    def checkpoint(self, note):
        """Origin, size and root of a note; raises Refused unless one of the keys signed it."""
        text, _, lines = note.partition("\n\n")
        found = re.fullmatch(r"(\S+)\n(0|[1-9]\d*)\n([A-Za-z0-9+/]{43}=)", text)
        if not found:
            raise Refused("it is not a checkpoint")
        body = (text + "\n").encode()
        for line in lines.splitlines():
            signed = re.fullmatch(r"— (\S+) ([A-Za-z0-9+/=]+)", line)
            blob = base64.b64decode(signed[2]) if signed and signed[1] == found[1] else b""
            for key in self.keys:
                name = hashlib.sha256(found[1].encode() + b"\n\1" + key).digest()[:4]
                if len(blob) == 68 and blob[:4] == name and signed_by(key, body, blob[4:]):
                    return found[1], int(found[2]), base64.b64decode(found[3])
        raise Refused("no key that may sign checkpoints signed it")

    def countersigned(self, document, name):
        """The headers of a countersignature; raises Refused unless its signer signed it."""
        body, mark, armor = document.partition(b"-----BEGIN SSH SIGNATURE-----\n")
        said = dict(line.partition(": ")[::2] for line in body.decode().splitlines()[1:])
        who = said.get("signer", "")
        with tempfile.NamedTemporaryFile() as signature:
            signature.write(mark + armor)
            signature.flush()
            command = ["ssh-keygen", "-Y", "verify", "-f", str(self.file), "-I", who]
            command += ["-n", "dbops-countersign@v1", "-s", signature.name, self.at]
            done = subprocess.run(command, input=body, capture_output=True, check=False)
        key = done.stdout.decode("utf-8", "replace").strip().rpartition(" ")[2]
        if done.returncode or key in self.revoked or name != f"{said.get('month')}.{who}.txt":
            raise Refused("the signature does not fit, or its key may not sign that")
        return said


def utc(text, form=TIME):
    return datetime.strptime(text, form).replace(tzinfo=timezone.utc)  # noqa: UP017 - Python 3.9


def parsed(line):
    """What the JSON of a line says; nothing, where somebody made something else of it."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def part(said, key):
    return said[key] if isinstance(said.get(key), dict) else {}


def fingerprint(blob):
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def moment(text):
    """A time of allowed_signers; without Z it is local."""
    if text.endswith("Z"):
        return utc(text[:-1].ljust(14, "0") + "Z", "%Y%m%d%H%M%SZ")
    return datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S").astimezone()


def signed_by(key, body, signature):
    with tempfile.TemporaryDirectory() as place:
        files = {"key": DER + key, "body": body, "signature": signature}
        for name, data in files.items():
            Path(place, name).write_bytes(data)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"]
        command += ["-inkey", "key", "-in", "body", "-sigfile", "signature"]
        return not subprocess.run(command, cwd=place, capture_output=True, check=False).returncode


def lines_of(directory):
    """Segment, offset, line and whether a newline ends it, for every line of the ledger."""
    exported = directory / "ledger.jsonl"
    files = sorted(path for path in directory.glob("seg/*.jsonl") if NAME.fullmatch(path.name))
    for path in [exported] if exported.exists() else files:
        offset = 0
        with path.open("rb") as file:
            for line in file:
                yield path.name, offset, line.rstrip(b"\n"), line.endswith(b"\n")
                offset += len(line)


class Reader:
    """One pass over the lines, each link looked at; `found` is what is wrong."""

    def __init__(self, directory, asked, heartbeat):
        self.directory, self.heartbeat = directory, heartbeat
        self.found, self.remarks, self.tree, self.origin = [], [], Tree(asked), None
        self.next, self.hash, self.broken, self.last = 0, NOBODY, False, None
        self.times, self.silent, self.segments = {}, [], {}
        self.open, self.answered, self.closed = {}, set(), set()
        self.missing, self.late = set(), set()
        strays = []
        for name, offset, line, whole in lines_of(directory):
            head = HEAD.match(line) if whole and END.fullmatch(line) else None
            if head:
                self.segments.setdefault(name, set()).add(int(head[1]))
                self.entry(head, line, self.explained(strays, name, head, line))
                strays = []
            else:
                strays.append((name, offset, line))
        self.tail([line for _, _, line in strays])
        self.misplaced()

    def tell(self, verdict, code, entry, message):
        self.found.append((entry, verdict, code, message))

    def fault(self, verdict, code, entry, message):
        """The chain does not hold here, so that nothing behind it has a root to compare."""
        self.broken = True
        if (entry, code) not in [(each[0], each[2]) for each in self.found[-1:]]:
            self.tell(verdict, code, entry, message)

    def explained(self, strays, name, head, line):
        """How many entries the lines in front of this one were once, that are none now."""
        if not strays:
            return 0
        data = b"\n".join(stray[2] for stray in strays)
        said = parsed(line) if head[4] in (b"ledger.torn", b"ledger.open") else {}
        counts, digest = part(said, "counts"), part(said, "digests").get("torn")
        told = name, counts.get("offset"), counts.get("length"), digest
        if told == (*strays[0][:2], len(data), hashlib.sha256(data).hexdigest()):
            self.remarks.append(f"entry {int(head[1])} tells of {len(data)} torn bytes")
            return 0
        count = min(len(strays), max(0, int(head[1]) - self.next))
        code = "line-edited" if count else "line-foreign"
        self.fault("EDITED", code, self.next, f"{len(strays)} lines are no entries")
        return count

    def entry(self, head, line, explained):
        """Judge one entry by the one before it, and go on from it."""
        number, before, digest = int(head[1]), bytes.fromhex(head[2].decode()), leaf(line)
        self.ends(head, number)
        if number < self.next and before != self.hash:
            self.late.add(number)
            self.broken = True
            return
        if before == self.hash and number != self.next:
            self.fault("EDITED", "line-edited", self.next, "it has another number")
            number = self.next
        elif number > self.next + explained:
            self.missing |= set(range(self.next + explained, number))
            self.broken = True
        elif before != self.hash and not explained:
            self.fault("EDITED", "line-edited", max(0, number - 1), "the next names another one")
        if not self.broken:
            self.tree.add(digest)
            if number == 0:
                named = str(part(parsed(line), "names").get("origin", ""))
                self.origin = named if named.isprintable() and named else None
        self.next, self.hash = number + 1, digest
        at = self.time(head, number)
        if self.last and at - self.last > self.heartbeat:
            self.silent.append((number - 1, self.last, at))
        self.last = at
        if number in self.tree.asked:
            self.times[number] = at

    def time(self, head, number):
        """When it says that it was written; the last time, where no calendar has that one."""
        try:
            return utc(head[3].decode())
        except ValueError:
            self.tell("EDITED", "line-edited", number, "its time is none")
            return self.last

    def ends(self, head, number):
        """Intents, and the entries that answer them."""
        if head[6]:
            self.answered.add(int(head[6]))
            self.closed |= {int(head[6])} if head[4] == b"ledger.close" else set()
        elif head[5] == b"intent":
            self.open[number] = head[4].decode()

    def tail(self, pieces):
        """Bytes behind the last entry: the beginning of the next one, or put there."""
        head = b'{"v":1,"seq":%d,"prev":"%b","at":"' % (self.next, self.hash.hex().encode())
        torn = all(head.startswith(p) or p.startswith(head) or not p.strip(b"\0") for p in pieces)
        size = sum(map(len, pieces)) + len(pieces) - 1
        if pieces:
            kind = ("TORN", "tail-torn") if torn else ("EDITED", "bytes-appended")
            self.tell(*kind, self.next, f"{size} bytes behind the last entry are no entry")

    def misplaced(self):
        """Entries that stand behind later ones, entries that stand nowhere, segments renamed."""
        renamed = False
        for name, numbers in self.segments.items():
            called, told = NAME.fullmatch(name), {each[0] for each in self.found} | self.missing
            if called and int(name[:12]) != min(numbers) and int(name[:12]) not in told - self.late:
                self.fault("EDITED", "segment-renamed", min(numbers), f"it begins segment {name}")
                renamed = True
        if self.late and not renamed:
            count = len(self.late)
            self.tell("EDITED", "lines-misplaced", min(self.late), f"{count} lines, moved or added")
        for number in sorted(self.missing - self.late):
            if number - 1 not in self.missing - self.late:
                self.tell("GAP", "entries-missing", number, "it is missing, maybe more behind it")


def check_checkpoints(reader, size, checkpoints):
    """Hold the ledger to (title, origin, size, root) of each."""
    good, wrong = [0], []
    sound = min((each[0] for each in reader.found), default=0) if reader.broken else size
    for title, origin, count, root in checkpoints:
        if reader.origin is not None and origin != reader.origin:
            reader.tell("FORK", "origin-differs", 0, f"{title} is of ledger {origin}")
        elif count > size:
            reader.tell("ROLLBACK", "truncated", size, f"{title} knows {count} entries")
        elif count in reader.tree.roots and count <= sound:
            (good if reader.tree.roots[count] == root else wrong).append(count)
    if wrong:
        low = max(count for count in good if count < min(wrong))
        if low == min(wrong) - 1 and min(wrong) == size:
            reader.tell("EDITED", "line-edited", low, "a checkpoint knows another last entry")
        else:
            message = f"a checkpoint over {min(wrong)} entries knows others"
            reader.tell("FORK", "rewritten", low, message)


def check_times(reader, size, anchored, options):
    """Silences, entries that wait too long for an anchor, and open ends."""
    now = options.at
    for entry, begin, end in () if reader.broken else reader.silent:
        if entry not in reader.closed:
            reader.tell("GAP", "silence", entry, f"nothing was written from {begin} to {end}")
    if reader.last and now - reader.last > options.heartbeat:
        reader.tell("GAP", "silence", size - 1, f"nothing has been written since {reader.last}")
    since = reader.times.get(max(anchored, default=0))
    if options.anchor_within and since and now - since > options.anchor_within:
        code = "anchor-old" if anchored else "checkpoint-missing"
        reader.tell("STALE", code, max(anchored, default=0), f"not anchored since {since}")
    for entry, event in reader.open.items():
        if event == "ledger.export" and entry == size - 1:
            reader.remarks.append(f"entry {entry} is the export itself")
        elif entry not in reader.answered:
            reader.tell("DANGLING", "intent-open", entry, f"{event} was begun and never ended")


def opened(trust, titled, reader_found):
    """The checkpoints of notes that count; the others are findings."""
    for title, path in titled:
        try:
            yield (title, *trust.checkpoint(path.read_text("utf-8")))
        except (Refused, ValueError) as why:
            reader_found.append((0, "STALE", "checkpoint-untrusted", f"{title}: {why}"))


def verify(options):
    directory, found = options.ledger, []
    kept = [directory / "checkpoint", *sorted(directory.glob("checkpoints/*.note"))[-64:]]
    titled = [(f"checkpoint {path.name}", path) for path in kept if path.exists()]
    outside = [(path.name, path) for path in options.against]
    known, anchored, signed = [], [], []
    if options.trust is None and (directory / "allowed_signers").exists():
        print("remark: the keys are those of the export itself; better name the --trust root")
        options.trust = directory
    if options.trust is None:
        print("remark: no signature was checked, no checkpoint counts: name the --trust root")
    else:
        trust = Trust(options.trust, options.at)
        known = list(opened(trust, titled, found))
        anchored = list(opened(trust, outside, found))
        for path in sorted(directory.glob("countersigned/*.txt")):
            try:
                signed.append((path.name, trust.countersigned(path.read_bytes(), path.name)))
            except (Refused, ValueError) as why:
                found.append((0, "EDITED", "countersignature", f"{path.name}: {why}"))
    for name, said in signed:
        known.append((name, said["origin"], int(said["size"]), base64.b64decode(said["root"])))
    reader = Reader(directory, {each[2] for each in known + anchored} | {0}, options.heartbeat)
    reader.found += found
    size = reader.next
    if not reader.broken and size and reader.origin is None:
        reader.tell("EDITED", "origin-missing", 0, "it does not say which ledger this is")
    check_checkpoints(reader, size, known + anchored)
    ours = [each[2] for each in anchored if reader.origin in (None, each[1])]
    check_times(reader, size, ours, options)
    for remark in reader.remarks:
        print("remark:", remark)
    print(
        f"{size} entries of {reader.origin}, root {base64.b64encode(reader.tree.root()).decode()}"
    )
    print(f"{len(known) + len(anchored) - len(signed)} checkpoints and {len(signed)} months count")
    return sorted(reader.found, key=lambda each: each[0])


def check_proof(options):
    """Findings about a proof of one entry: c2sp.org/tlog-proof."""
    head, _, note = options.proof.read_text("utf-8").partition("\n\n")
    lines = head.split("\n")
    try:
        if lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra "):
            raise Refused("it is no proof of an entry")
        line, index = base64.b64decode(lines[1][6:]), int(lines[2].removeprefix("index "))
        path = [base64.b64decode(each) for each in lines[3:]]
        if options.trust is None:
            raise Refused("without --trust nobody vouches for its checkpoint")
        origin, size, root = Trust(options.trust, options.at).checkpoint(note)
        entry = HEAD.match(line)
        if not leads_to(leaf(line), index, size, path, root):
            raise Refused("it does not lead to the root that was signed")
        if not entry or int(entry[1]) != index:
            raise Refused("what it proves is not that entry")
    except (Refused, ValueError, IndexError) as why:
        return [(0, "EDITED", "proof", str(why))]
    print(f"entry {index} stands in {origin}: {line.decode()}")
    return []


def hours(text):
    return timedelta(hours=float(text))


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("ledger", nargs="?", type=Path, help="its directory, or that of an export")
    parser.add_argument("--trust", type=Path, help="directory with allowed_signers and revoked")
    parser.add_argument("--against", type=Path, action="append", default=[], help="kept elsewhere")
    parser.add_argument("--proof", type=Path, help="check the proof of one entry instead")
    parser.add_argument("--heartbeat", type=hours, default=hours(26), help="hours (26)")
    parser.add_argument("--anchor-within", type=hours, help="hours until --against covers an entry")
    now = datetime.now(timezone.utc)  # noqa: UP017
    parser.add_argument("--at", type=utc, default=now, help="judge by 2026-12-01T00:00:00Z")
    options = parser.parse_args()
    if options.proof is None and (options.ledger is None or not any(lines_of(options.ledger))):
        parser.error("there is no ledger to verify")
    try:
        found = check_proof(options) if options.proof else verify(options)
    except OSError as why:
        parser.error(str(why))
    for entry, verdict, code, message in found:
        print(f"{verdict} {code} {entry}: {message}")
    return 4 if found else 0


if __name__ == "__main__":
    sys.exit(main())
