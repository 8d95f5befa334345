"""`dbops audit countersign`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from dbops.audit.countersign import Countersignature
    from dbops.cli.wiring import Wiring
    from dbops.crypto.signing import Signer
    from dbops.crypto.sshsig import Namespace, PublicKey
    from dbops.errors import UsageFault

_MOST: Final = 64 << 10  # bytes of a statement or a signature
_NEXT: Final = """\
{out} says what {signer} confirms of {month}: entries {first} to {last}. Next, where that key is:

  ssh-keygen -Y sign -n {namespace} -f KEY {out}

and here:

  dbops audit countersign --month {month} --statement {out} --signature {out}.sig
"""


@click.command()
@click.option("--month", required=True, metavar="YYYY-MM", help="A month that is over, by UTC.")
@click.option(
    "--key",
    "key",
    type=click.Path(dir_okay=False),
    metavar="KEY",
    help="Signs here and now; a .pub file signs through ssh-agent or a hardware key.",
)
@click.option("--signer", metavar="PRINCIPAL", help="With --out: who is to sign.")
@click.option(
    "--out",
    "out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write there what is to be signed elsewhere.",
)
@click.option(
    "--statement",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="What was signed elsewhere.",
)
@click.option(
    "--signature", type=click.Path(dir_okay=False), metavar="FILE.sig", help="Its signature."
)
@click.pass_obj
def countersign(
    estate: str | None,
    month: str,
    key: str | None,
    signer: str | None,
    out: str | None,
    statement: str | None,
    signature: str | None,
) -> None:
    """Have the hospital confirm the records of a month with its signature.

    Its IT department signs a small text: the month's entries and the root over everything up to
    the last of them. With that both parties have confirmed the same record. The key need not come
    to this host: --out writes the text, ssh-keygen signs it, --statement and --signature bring
    both back.

    \b
    Example:
      dbops audit countersign --month 2026-10 --signer hospital --out october.txt
      dbops audit countersign --month 2026-10 --statement october.txt --signature october.txt.sig

    \b
    Exit statuses: 0 done, 1 the ledger is damaged, 2 usage, 3 done but not recorded, 5 the key may
    not sign, or has signed the month already, 10 no such file or no entries, 11 the
    ledger cannot be written.
    """
    from dbops.cli.wiring import open_wiring

    ways = [key, out, statement or signature]
    if sum(way is not None for way in ways) != 1:
        raise _usage("say one of --key, --out, or --statement with --signature")
    wiring = open_wiring(estate)
    if key is not None:
        _sign_here(wiring, month, Path(key))
    elif out is not None:
        if signer is None:
            raise _usage("--out needs --signer: the text names who signs it")
        _write_out(wiring, month, signer, Path(out))
    elif statement is None or signature is None:
        raise _usage("--statement and --signature belong together")
    else:
        _bring_back(wiring, month, Path(statement), Path(signature))


def _usage(message: str) -> UsageFault:
    from dbops.errors import UsageFault

    return UsageFault("countersign-usage", message, hint="dbops audit countersign --help")


def _sign_here(wiring: Wiring, month: str, path: Path) -> None:
    from dbops.audit.countersign import draw_up
    from dbops.cli.ledger import segments_of
    from dbops.crypto.sshsig import Namespace
    from dbops.keys.recipients import load_signer

    signer, now = load_signer(path), wiring.clock()
    principal = wiring.trust.judge(signer.public_key, Namespace.COUNTERSIGN, now)
    _keep(wiring, draw_up(segments_of(wiring), month, principal, now), signer)


def _write_out(wiring: Wiring, month: str, principal: str, out: Path) -> None:
    from dbops.audit.countersign import draw_up
    from dbops.cli.ledger import segments_of
    from dbops.crypto.sshsig import Namespace
    from dbops.errors import NotFound
    from dbops.keys.recipients import create_document

    may = {one.principal for one in wiring.trust.signers if Namespace.COUNTERSIGN in one.namespaces}
    if principal not in may:
        raise NotFound(
            "no-countersigner",
            f'the trust root lets nobody called "{principal}" countersign',
            hint=f"it lets: {', '.join(sorted(may)) or 'nobody'}",
        )
    drawn = draw_up(segments_of(wiring), month, principal, wiring.clock())
    create_document(out, drawn.text)
    click.echo(
        _NEXT.format(
            out=out,
            signer=principal,
            month=month,
            first=drawn.first,
            last=drawn.last,
            namespace=Namespace.COUNTERSIGN.value,
        ),
        nl=False,
    )


def _bring_back(wiring: Wiring, month: str, statement: Path, signature: Path) -> None:
    """Keep what was signed elsewhere, if it is what this ledger says of the month."""
    from dbops.audit.countersign import draw_up, parse_countersignature
    from dbops.cli.ledger import segments_of
    from dbops.cli.reading import read_named
    from dbops.crypto.sshsig import Namespace, check_signature
    from dbops.errors import Refused

    body = read_named(statement, _MOST)
    armor = read_named(signature, _MOST).decode("ascii", "replace")
    said, now = parse_countersignature(body), wiring.clock()
    signer = _Given(check_signature(body, armor, Namespace.COUNTERSIGN), armor)
    principal = wiring.trust.judge(signer.public_key, Namespace.COUNTERSIGN, now)
    drawn = draw_up(segments_of(wiring), month, principal, now)
    if said != replace(drawn, signed_at=said.signed_at):
        raise Refused(
            "countersign-differs",
            f"{statement} is not what this ledger says of {month} for {principal}",
            hint="write it anew and compare: dbops audit countersign --out FILE",
        )
    _keep(wiring, said, signer)


@dataclass(frozen=True, slots=True)
class _Given:
    """A signature that was made elsewhere, in the place of the signer."""

    public_key: PublicKey
    armor: str

    def sign(self, message: bytes, namespace: Namespace) -> str:  # noqa: ARG002 - the port's
        return self.armor


def _keep(wiring: Wiring, drawn: Countersignature, signer: Signer) -> None:
    from hashlib import sha256

    from dbops.audit.countersign import countersign as keep
    from dbops.audit.entry import Count, DigestOf, Draft, Event, Label, Phase
    from dbops.cli.ledger import recording

    draft = Draft(
        event=Event.LEDGER_COUNTERSIGN,
        phase=Phase.INTENT,
        names={
            Label.MONTH: drawn.month,
            Label.PRINCIPAL: drawn.signer,
            Label.KEY: signer.public_key.fingerprint,
        },
        counts={Count.SIZE: drawn.size},
        digests={
            DigestOf.ROOT: drawn.root.hex(),
            DigestOf.STATEMENT: sha256(drawn.text).hexdigest(),
        },
    )
    with recording(wiring, draft):
        path = keep(wiring.estate.audit.directory, drawn, signer)
    click.echo(
        f"{drawn.signer} confirms entries {drawn.first} to {drawn.last} of {drawn.month}: {path}"
    )
