"""What the streams of a PostgreSQL backup are called, and what their details mean.

The reading side writes them, the restoring side reads them; a name here is part of the format.

* `schema`: the output of `pg_dump -Fc --section=pre-data --section=post-data --no-blobs
  --encoding=SERVER_ENCODING`, as opaque bytes: all that is not rows, and, unlike with
  --schema-only, an entry REFRESH for each materialized view that was filled, in the order of
  their dependencies. The encoding is named because a database can be set to another one. Its
  detail says what pg_dump cannot: `database` and `roles`, below.
* `globals`: the output of `pg_dumpall --globals-only`, SQL text. Never applied unasked.
* `objects`: every object of the database with its properties as the source's server prints them, as
  `dbops.change.schema_text` writes a schema, opaque, in UTF-8. Nothing is restored from it, and no
  copy is compared with it: a restored object can print differently. A change of the schema is
  compared with it before it runs. Backups of servers before 14 do not have it, nor older backups.
* `sequences`: COPY text of (schema, name, last_value, is_called).
* `large-objects`: COPY text of (oid, page number, bytes) in order of oid and page, the pages as
  pg_largeobject holds them; an object without pages is one row (oid, null, null).
* `large-object-metadata`: COPY text of (oid, owner's name, lomacl as text, comment), the last two
  null where there is none; a row for every large object.
* every other stream is a table or leaf partition, named as SQL names it: `"schema"."table"` with
  quotes where they are needed. COPY text, in the server's encoding, of the columns in the detail.
  A table partitioned by hash is one stream of its own name, the ranges of all its local leaves
  one after another: to which leaf a row goes can depend on OIDs (of enum labels), so rows of
  one leaf may come back in another.

An unlogged leaf of a partitioned table is read like its siblings: foreign keys may refer to rows
of the whole table, and with some of them missing the restored key could not be made.

Rows of a hash-partitioned table belong to the partitioned ancestor, not to the leaf: the hash of
an enum depends on object identifiers, so after a restore the same row lies in another leaf. It is
loaded through the ancestor and proven there.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = "schema"
GLOBALS: Final = "globals"
OBJECTS: Final = "objects"
SEQUENCES: Final = "sequences"
LARGE_OBJECTS: Final = "large-objects"
LARGE_OBJECT_METADATA: Final = "large-object-metadata"
SPECIAL: Final = frozenset(
    {SCHEMA, GLOBALS, OBJECTS, SEQUENCES, LARGE_OBJECTS, LARGE_OBJECT_METADATA}
)

# Keys of the schema stream's detail; both values are JSON.
# `database`: {"encoding", "collate", "ctype", "provider": "c"|"i"|"b", "locale": ICU's or
#   builtin's, or null, "rules": ICU's or null, "owner", "limit": int, "comment": or null,
#   "acl": null or [[grantor, grantee or "" for PUBLIC, privilege, grantable: bool], ...] in the
#   order of aclexplode(datacl), "settings": [[role or "" for all, "name=value"], ...]}
# `roles`: [{"name", "superuser": bool, "inherit": bool, "bypassrls": bool,
#   "member_of": [role, ...]}, ...]: every role but pg_* that owns or is granted anything, or is
#   named by a policy, a default privilege, a user mapping or a setting of this database, and the
#   roles that these are members of, directly or not; `member_of` may name pg_* roles.
DATABASE: Final = "database"
ROLES: Final = "roles"

# Keys of a table stream's detail.
COLUMNS: Final = "columns"  # quoted names by name, joined by ", "; generated ones are left out
ENCODING: Final = "encoding"  # the server encoding, which is the client encoding too
CONDITION: Final = "condition"  # of an extension's configuration table; else ""

BLOCKS_PER_RANGE: Final = 256  # heap blocks of 8 KiB: the unit of change detection
