"""What the catalog says about everything but rows, to be found again on a restored copy.

This is the second witness of the schema. The first, and main one, compares the text that `pg_dump`
prints. So expressions are left out here (of views, checks, defaults, partial indexes, policies):
the server prints some of them differently after a restore. Whether there is one is recorded.

OIDs never appear; roles and types do by name. Where an object belongs to its owner in its own list
of grants, that stands as `(owner)`: built-in objects have another owner on another server. Objects
of extensions count for their grants only: the extension's version decides about the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict

from dbops.engines.postgresql.connect import Session
from dbops.engines.postgresql.queries import GRANTS, OWNERS, QUERIES
from dbops.engines.postgresql.streams import DATABASE
from dbops.repository.manifest import Facts


def catalog_facts(session: Session, schema_detail: dict[str, str]) -> Facts:
    """Each section's objects by name, with the digest of what the catalog says about each."""
    facts: Facts = {}
    for section, query in QUERIES.items():
        facts[section] = _section(session, section, query)
    facts["owner"] = _owners(session)
    facts["grant"] = _section(session, "grant", GRANTS)
    facts["setting"] = _settings(schema_detail)
    return facts


def _section(session: Session, section: str, query: str) -> dict[str, str]:
    """Several rows of one name (two casts print alike, say) count together."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, text in session.rows(query, doing=f"reading facts: {section}"):
        found[name].append(text or "")
    return {name: _digest("\0".join(sorted(texts))) for name, texts in sorted(found.items())}


def _owners(session: Session) -> dict[str, str]:
    return dict(sorted(session.rows(OWNERS, doing="reading facts: owner")))


def _settings(schema_detail: dict[str, str]) -> dict[str, str]:
    """The database's own properties; the mark of an unfinished restore is none of them."""
    properties = json.loads(schema_detail[DATABASE])
    properties["settings"] = sorted(
        pair for pair in properties["settings"] if not pair[1].startswith("dbops.")
    )
    properties["acl"] = sorted(properties["acl"] or ())
    return {
        name: _digest(json.dumps(value, ensure_ascii=False, sort_keys=True))
        for name, value in properties.items()
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
