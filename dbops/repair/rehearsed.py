"""The rows that a rehearsal left in the work's folder, opened by somebody who may read them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence

from dbops.crypto.age import Identity
from dbops.errors import Refused
from dbops.repair.bundle import Bundle
from dbops.repair.evidence import read_evidence
from dbops.repair.judgement import Approved
from dbops.review.work import ROWS, Work


def rehearsed_rows(work: Work, identities: Sequence[Identity]) -> Bundle | None:
    """Return the rows before and after, as they were rehearsed; None where there are none.

    Raises NoIdentity where none of the identities opens them, and what reading a bundle raises.
    """
    data = work.files.get(ROWS)
    if data is None:
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    return Bundle(lambda: io.BytesIO(data), identities, f"{work.folder}/{ROWS}", sha256)


def must_come_again(work: Work, identities: Sequence[Identity]) -> tuple[Approved, ...]:
    """Return what a run of the work must come to again, transaction by transaction.

    For work whose evidence was judged to count: here it is taken at its word. Raises Refused
    `evidence-missing` where there is none or its rows are not there, and as `rehearsed_rows`.
    """
    evidence, rows = read_evidence(work), rehearsed_rows(work, identities)
    if evidence is None or rows is None:
        raise Refused(
            "evidence-missing",
            f"{work.id} must change the rows that were rehearsed, and nothing says which",
            hint=f"rehearse it on the verifying host: dbops repair rehearse {work.id}",
        )
    return evidence.approved(rows.header.key)
