"""How long keys are needed, and who opens what: from made-up envelopes, pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dbops.keys.host_keys import IdentityFile, KeyUse
from dbops.keys.listing import list_recipients, owner_of
from dbops.keys.report import keys_needed
from dbops.repository.chain import Backup
from dbops.repository.manifest import CatalogueEntry, Envelope, SealedTo, Totals
from dbops.repository.recipients import RecipientEntry, RecipientList, Role

START = datetime(2026, 1, 1, tzinfo=UTC)
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtIZG+soHXq1nNJ94JovaBLgwLFZs4qHZT2k+Errp5R"
LISTED = RecipientList(
    "dbops-recipients/1",
    START,
    (
        RecipientEntry(Role.RECOVERY, "hospital", "age1a"),
        RecipientEntry(Role.ESCROW, "notary", f"{SSH} with a comment"),
    ),
)


def made(database: str, sequence: int, day: int, *sealed: tuple[str, str, str]) -> Backup:
    """A backup of that day, sealed to `(role, name, recipient)`."""
    when = START + timedelta(days=day)
    envelope = Envelope(
        format="dbops-manifest/1",
        repository="0" * 32,
        database=database,
        engine="sqlite",
        identity="",
        server="",
        sequence=sequence,
        predecessor=None,
        generation=1,
        witness=False,
        started=when,
        snapshot=when,
        finished=when,
        host="backup-1",
        tool="",
        recipients="0" * 64,
        sealed_to=tuple(SealedTo(*entry) for entry in sealed),
        catalogue=CatalogueEntry("0" * 64, 1),
        packs=(),
        totals=Totals(0, 0, 0, 0, 0, 0),
    )
    return Backup(envelope, "0" * 64, "", "writer")


def test_a_key_is_needed_until_the_newest_backup_sealed_to_it() -> None:
    """Oldest, newest and number of its backups, whatever their order; and whether still listed."""
    old = ("recovery", "former", "age1old")
    new = ("recovery", "hospital", "age1a")
    backups = [
        made("lab", 2, 3, old),
        made("lab", 3, 5, new),
        made("oa", 1, 4, old),
        made("lab", 1, 1, old),
    ]
    first, second = keys_needed(backups, LISTED)
    assert (first.recipient, first.name, first.listed, first.backups) == (
        "age1a",
        "hospital",
        True,
        1,
    )
    assert (second.recipient, second.name, second.listed, second.backups) == (
        "age1old",
        "former",
        False,
        3,
    )
    assert (str(second.oldest), str(second.newest)) == ("lab@1", "oa@1")
    assert second.newest_at == START + timedelta(days=4)


def test_a_key_is_called_what_its_newest_backup_calls_it() -> None:
    """A holder may have been renamed: the last name counts."""
    backups = [
        made("lab", 1, 1, ("drill", "old-name", "age1d")),
        made("lab", 2, 2, ("escrow", "new-name", "age1d")),
    ]
    (need,) = keys_needed(backups, LISTED)
    assert (need.role, need.name, need.backups) == ("escrow", "new-name", 2)


def test_a_comment_does_not_make_another_key() -> None:
    """An ssh key is the same with and without its comment."""
    backups = [
        made("lab", 1, 1, ("escrow", "notary", SSH)),
        made("lab", 2, 2, ("escrow", "notary", f"{SSH} notary@office")),
    ]
    (need,) = keys_needed(backups, LISTED)
    assert (need.recipient, need.backups, need.listed) == (SSH, 2, True)


@given(st.lists(st.sets(st.sampled_from(["age1a", "age1b", "age1c"]), min_size=1), max_size=8))
def test_every_backup_is_counted_for_each_of_its_keys(sealed: list[set[str]]) -> None:
    """The counts add up to the number of seals, and no key that is needed is left out."""
    backups = [
        made("lab", number, number, *(("drill", key, key) for key in sorted(keys)))
        for number, keys in enumerate(sealed, 1)
    ]
    needs = keys_needed(backups, LISTED)
    assert sum(need.backups for need in needs) == sum(len(keys) for keys in sealed)
    assert {need.recipient for need in needs} == set().union(*sealed)


def test_recipients_say_what_they_open_and_where_they_lie() -> None:
    """The order is the document's; files on this host are matched by their public half."""
    backups = [
        made("lab", 1, 1, ("recovery", "hospital", "age1a")),
        made("lab", 2, 2, ("recovery", "hospital", "age1a"), ("escrow", "notary", SSH)),
    ]
    file = IdentityFile(KeyUse.IDENTITY, Path("/keys/notary"), (SSH,))
    hospital, notary = list_recipients(LISTED, backups, [file])
    assert (hospital.name, hospital.backups, hospital.files) == ("hospital", 2, ())
    assert (notary.name, notary.backups, notary.files) == ("notary", 1, (Path("/keys/notary"),))
    assert notary.recipient == SSH


def test_the_owner_of_a_key_is_found_in_the_list() -> None:
    """A key that does not stand there belongs to nobody."""
    assert owner_of(SSH, LISTED) == "escrow (notary)"
    assert owner_of("age1x", LISTED) is None
