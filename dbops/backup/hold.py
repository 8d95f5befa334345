"""Put a backup on hold, so that it is kept whatever retention says, and release it again.

The last document about a backup counts. Each is dated after those before it, so that a host whose
clock is behind can still release what another held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from dbops.crypto.signed import sign_document, split_document
from dbops.crypto.signing import Signer
from dbops.crypto.sshsig import Namespace, check_signature
from dbops.crypto.trust import plain_text
from dbops.errors import DbopsError, NotFound, Refused, UsageFault
from dbops.repository.chain import Backup
from dbops.repository.codec import decode, encode, whole_second
from dbops.repository.layout import database_prefix, hold_name
from dbops.repository.ports import put_bytes, read_bytes
from dbops.repository.reader import Repository
from dbops.repository.records import Hold


def place_hold(
    repository: Repository,
    backup: Backup,
    reason: str,
    actor: str,
    signer: Signer,
    clock: Callable[[], datetime],
) -> Hold:
    """Afterwards expiry leaves the backup alone until the hold is released, tombstone or not.

    Raises UsageFault where `reason` is not one line of text, Refused where the backup is on hold
    already or nobody trusts `signer` with holds, and NotFound where expiry was faster. A crash
    leaves the hold placed or not.
    """
    _check_reason(reason, backup)
    if backup.held:
        raise Refused(
            "hold-placed",
            f"{backup.id} is on hold already: {backup.hold_reason}",
            hint=f"dbops backup show {backup.id}",
        )
    hold = _put(repository, backup, reason, actor, signer, clock(), held=True)
    if repository.store.find(backup.name) is None:
        raise NotFound(
            "backup-expired",
            f"{backup.id} was deleted before it could be put on hold",
            hint=f"dbops backup list {backup.id.database}",
        )
    return hold


def release_hold(
    repository: Repository,
    backup: Backup,
    reason: str,
    actor: str,
    signer: Signer,
    clock: Callable[[], datetime],
) -> Hold:
    """Afterwards retention decides about the backup again; one with an old tombstone goes next.

    Raises UsageFault where `reason` is not one line of text, and Refused where the backup is not
    on hold or nobody trusts `signer` with holds. A crash leaves the hold released or not.
    """
    _check_reason(reason, backup)
    if not backup.held:
        raise Refused(
            "hold-missing",
            f"{backup.id} is not on hold",
            hint=f"dbops backup list {backup.id.database}",
        )
    return _put(repository, backup, reason, actor, signer, clock(), held=False)


def _check_reason(reason: str, backup: Backup) -> None:
    text = plain_text((reason + "\n").encode("utf-8", "surrogatepass"), "the reason")
    if not text.strip() or text.count("\n") > 1 or "\t" in text:
        raise UsageFault(
            "hold-reason",
            "a hold needs a reason of one line",
            hint=f'dbops backup hold {backup.id} --reason "audit of March 2026"',
        )


def _put(
    repository: Repository,
    backup: Backup,
    reason: str,
    actor: str,
    signer: Signer,
    now: datetime,
    *,
    held: bool,
) -> Hold:
    hold = Hold(
        format="dbops-hold/1",
        repository=repository.id,
        database=backup.id.database,
        sequence=backup.sequence,
        held=held,
        at=_after_all_before(repository, backup, now),
        actor=actor,
        reason=reason.strip(),
    )
    # A hold that nobody trusts could not be taken back, and would count as damage.
    repository.trust.judge(signer.public_key, Namespace.HOLD, hold.at)
    document = sign_document(encode(hold), Namespace.HOLD, signer)
    put_bytes(repository.store, hold_name(hold.database, hold.sequence, document), document)
    return hold


def _after_all_before(repository: Repository, backup: Backup, now: datetime) -> datetime:
    last = max((item.at for item in _placed(repository, backup)), default=None)
    moment = whole_second(now)
    return moment if last is None else max(moment, last + timedelta(seconds=1))


def _placed(repository: Repository, backup: Backup) -> Iterator[Hold]:
    """Every hold and release of the backup that counts.

    What was signed while its key was good stays good; what does not count is the history's to
    report, and must not keep anybody from placing a hold.
    """
    for item in repository.store.list(f"{database_prefix(backup.id.database)}/hold"):
        data = read_bytes(repository.store, item.name)
        try:
            body, armor = split_document(data)
            key = check_signature(body, armor, Namespace.HOLD)
            hold = decode(Hold, body, item.name)
            repository.trust.judge(key, Namespace.HOLD, hold.at)
        except DbopsError:
            continue
        if hold.sequence == backup.sequence:
            yield hold
