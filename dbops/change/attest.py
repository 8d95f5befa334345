"""The signed evidence over the rehearsals of a change on each of its databases; pure.

What was found of a database stands in a file of its own. `evidence.yml` names the databases and has
the digest of every file, so that one signature covers them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dbops.change.rehearsed_files import made_by_rehearsal
from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import Namespace
from dbops.review.evidence_text import VERSION, mapping_lines, quoted_text, time_text
from dbops.review.work import EVIDENCE, EVIDENCE_SIGNATURE, Work


def attested_files(
    work: Work,
    host: str,
    databases: Sequence[str],
    found: Mapping[str, bytes],
    signer: Signer,
    now: datetime,
) -> dict[str, bytes]:
    """Return the files to write beside the change, in this order: `found`, then the evidence.

    `found` are the files of the rehearsals on `databases`; what an earlier rehearsal left is no
    part of it. `host` signs at `now`, in UTC.
    """
    left = made_by_rehearsal(work.files)
    digests = {path: own for path, own in work.digests.items() if path not in left}
    digests |= {path: hashlib.sha256(data).hexdigest() for path, data in found.items()}
    lines = [
        f"dbops: {VERSION}",
        f"id: {quoted_text(work.id)}",
        f"at: {time_text(now.astimezone(UTC).replace(microsecond=0))}",
        f"host: {quoted_text(host)}",
        f"databases: [{', '.join(map(quoted_text, databases))}]",
        *mapping_lines("files", dict(sorted(digests.items()))),
    ]
    text = "".join(f"{line}\n" for line in lines).encode()
    signature = signer.sign(text, Namespace.EVIDENCE).encode("ascii")
    return {**found, EVIDENCE: text, EVIDENCE_SIGNATURE: signature}
