"""What the streams of a PostgreSQL backup are called, and what their details mean.

The reading side writes them, the restoring side reads them; a name here is part of the format.

* `schema`: the output of `pg_dump -Fc --schema-only`, as pages of opaque bytes.
* `globals`: the output of `pg_dumpall --globals-only`, SQL text. Never applied unasked.
* `sequences`: COPY text of (schema, name, last_value, is_called).
* `large-objects`: COPY text of (oid, page number, bytes), pages of 2048 bytes, empty ones too.
* every other stream is a table or leaf partition, named as SQL names it: `"schema"."table"` with
  quotes where they are needed. COPY text, in the server's encoding, of the columns in the detail.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = "schema"
GLOBALS: Final = "globals"
SEQUENCES: Final = "sequences"
LARGE_OBJECTS: Final = "large-objects"
SPECIAL: Final = frozenset({SCHEMA, GLOBALS, SEQUENCES, LARGE_OBJECTS})

# Keys of a table stream's detail.
COLUMNS: Final = "columns"  # quoted names joined by ", "; generated columns are left out
ENCODING: Final = "encoding"  # the server encoding, which is the client encoding too
CONDITION: Final = "condition"  # of an extension's configuration table; else ""

BLOCKS_PER_RANGE: Final = 256  # heap blocks of 8 KiB: the unit of change detection
