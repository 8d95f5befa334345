"""Mistakes with `dbops review` and `dbops trust`, and what is answered."""

from __future__ import annotations

from pathlib import Path

from tests.cli.mistakes import Mistake


def _without_ops(root: Path) -> None:
    config = root / "dbops.toml"
    text = config.read_text("utf-8")
    assert 'repository = "ops"' in text
    config.write_text(text.replace('repository = "ops"', "#"), "utf-8")


REVIEW_MISTAKES = (
    Mistake(
        "no such work",
        "review show 2026-1",
        10,
        "work-missing",
        "there is no work 2026-1",
        "dbops review list",
    ),
    Mistake(
        "no work named",
        "review check",
        2,
        "which-work",
        "name a piece of work, or say --all",
        "dbops review list shows the ids",
    ),
    Mistake(
        "a commit without --all",
        "review check 2026-1 --changed-from main",
        2,
        "changed-from-alone",
        "--changed-from chooses among all work, so it needs --all",
        "dbops review check --all --changed-from COMMIT",
    ),
    Mistake(
        "no ops repository",
        "review list",
        2,
        "no-review-repository",
        "dbops.toml has no review.repository: nothing can be reviewed",
        'add the work tree of the ops repository: [review] repository = "ops"',
        _without_ops,
    ),
    Mistake(
        "no policy",
        "trust show",
        10,
        "policy-missing",
        "there is no policy: {root}/trust/policy.toml does not exist",
        "say who must agree to what: dbops trust init --help",
        lambda root: (root / "trust" / "policy.toml").unlink(),
    ),
    Mistake(
        "an id that is none",
        "review new restore Lab --from example --to ./c.db --title t --author wei@contractor",
        5,
        "work-id",
        "the id of the work has characters or a length that it may not have",
        "allowed: 1 to 80 lower-case letters, digits, dots, hyphens and underscores",
        json=False,
    ),
    Mistake(
        "a restore of an unknown database",
        "review new restore r-1 --from exampel --to ./c.db --title t --author wei@contractor",
        10,
        "no-database",
        'the estate has no database "exampel"',
        'did you mean "example"? there are: example',
        json=False,
    ),
    Mistake(
        "an author who is no principal",
        "review new restore r-1 --from example --to ./c.db --title t --author *",
        5,
        "manifest-value",
        "restores/r-1/restore.yml line 4: author is not allowed",
        "allowed: a principal of the trust root",
        json=False,
    ),
    Mistake(
        "glass broken without a reason",
        "review approve 2026-1 --key wei --break-glass",
        2,
        "breakglass-note",
        "who decides alone says why",
        'add --note "why nobody else could be asked"',
        json=False,
    ),
    Mistake(
        "nothing to review afterwards",
        "review confirm 2026-1",
        10,
        "nothing-to-review",
        "nothing of 2026-1 was done by break-glass that waits for a review",
        "dbops review list",
        json=False,
    ),
    Mistake(
        "a person without a key",
        "trust init --person li-na:李娜:li.na@hospital:it-department",
        2,
        "trust-person",
        "--person does not say who: it is not ID:NAME:PRINCIPAL:KEYFILE.pub:ROLE[,ROLE]",
        "write: --person li-na:李娜:li.na@hospital:li-na.pub:it-department",
        json=False,
    ),
)
