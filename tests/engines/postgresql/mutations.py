"""Changes to a restored copy of the feature database that a comparison must notice, each of them.

Every change is transactional, so that a test can roll it back, and qualifies its names, so that it
does not matter which settings the session got. No statement holds a backslash.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: what it is called, the statements, and the name that a finding must contain."""

    name: str
    sql: str
    finding: str


def _setting(statement: str) -> str:
    return f"DO $do$ BEGIN EXECUTE format('{statement}', current_database()); END $do$"


ROWS: tuple[Mutation, ...] = (
    Mutation(
        "one changed digit",
        "UPDATE lab.result SET value = value + 0.001 WHERE id = 4712",
        "lab.result",
    ),
    Mutation("one missing row", "DELETE FROM lab.result WHERE id = 11111", "lab.result"),
    Mutation(
        "one duplicated row",
        "INSERT INTO lab.duplicates SELECT * FROM lab.duplicates LIMIT 1",
        "lab.duplicates",
    ),
    Mutation(
        "one row for another that was there twice",
        "UPDATE lab.duplicates SET a = 1 WHERE ctid ="
        " (SELECT min(ctid) FROM lab.duplicates WHERE a = 2)",
        "lab.duplicates",
    ),
    Mutation(
        "a pair of values swapped between two rows",
        "UPDATE lab.dropped_columns SET b = CASE a WHEN 3 THEN 'b4' ELSE 'b3' END"
        " WHERE a IN (3, 4)",
        "lab.dropped_columns",
    ),
    Mutation(
        "a row moved from the parent to a child",
        "WITH gone AS (DELETE FROM ONLY his.nurse WHERE id = 3 RETURNING *)"
        " INSERT INTO his.head_nurse SELECT * FROM gone",
        "his.nurse",
    ),
    Mutation("null made empty", "UPDATE his.texts SET body = '' WHERE id = 2", "his.texts"),
    Mutation(
        "a trailing zero lost", "UPDATE his.numbers SET exact = 0.0 WHERE id = 4", "his.numbers"
    ),
    Mutation(
        "minus zero made zero", "UPDATE his.numbers SET real8 = 0 WHERE id = 3", "his.numbers"
    ),
    Mutation(
        "a bound of an array shifted",
        "UPDATE his.collections SET numbers = numbers[:] WHERE id = 3",
        "his.collections",
    ),
    Mutation(
        "a row more without columns", "INSERT INTO lab.no_columns DEFAULT VALUES", "lab.no_columns"
    ),
    Mutation(
        "the end mark as text removed",
        "DELETE FROM his.single_text WHERE body = chr(92) || '.'",
        "his.single_text",
    ),
    Mutation(
        "a changed byte far inside a wide value",
        "UPDATE lab.wide SET picture = set_byte(picture, 47000, 255 - get_byte(picture, 47000))"
        " WHERE id = 7",
        "lab.wide",
    ),
    Mutation(
        "a row of a nested partition missing",
        "DELETE FROM lab.by_blood WHERE blood = 'O' AND n = 6",
        "lab.by_blood",
    ),
    Mutation(
        "a column named like an alias changed",
        "UPDATE lab.shadows SET q = 'Q' WHERE tableoid_ = 5",
        "lab.shadows",
    ),
    Mutation(
        "a changed byte of a large object",
        "SELECT lo_put(16500006, 59999, set_byte(lo_get(16500006, 59999, 1), 0,"
        " 255 - get_byte(lo_get(16500006, 59999, 1), 0)))",
        "16500006",
    ),
    Mutation(
        "a large object one byte longer",
        "SELECT lo_put(16500001, 0, decode('00', 'hex'))",
        "16500001",
    ),
    Mutation("a large object missing", "SELECT lo_unlink(4294967290)", "4294967290"),
    Mutation(
        "a sequence off by one", "ALTER SEQUENCE his.standalone RESTART WITH 46", "his.standalone"
    ),
    Mutation(
        "an uncalled sequence off by one",
        "ALTER SEQUENCE his.set_not_called RESTART WITH 78",
        "his.set_not_called",
    ),
)

SCHEMA: tuple[Mutation, ...] = (
    Mutation("a dropped index", "DROP INDEX lab.result_brin", "lab.result_brin"),
    Mutation("a dropped column", "ALTER TABLE lab.shadows DROP COLUMN x", "lab.shadows"),
    Mutation(
        "a changed default", "ALTER TABLE lab.empty ALTER name SET DEFAULT 'nothing'", "lab.empty"
    ),
    Mutation(
        "another identity",
        "ALTER TABLE his.visit ALTER ticket SET GENERATED ALWAYS",
        "his.visit",
    ),
    Mutation("a dropped trigger", "DROP TRIGGER note_before ON his.patient", "his.patient"),
    Mutation(
        "a disabled trigger", "ALTER TABLE his.patient DISABLE TRIGGER note_before", "his.patient"
    ),
    Mutation(
        "a replica trigger made an ordinary one",
        "ALTER TABLE his.visit ENABLE TRIGGER note_replica",
        "his.visit",
    ),
    Mutation("an event trigger disabled", "ALTER EVENT TRIGGER log_ddl DISABLE", "log_ddl"),
    Mutation("a rule enabled", "ALTER TABLE ops.guarded ENABLE RULE off", "ops.guarded"),
    Mutation(
        "a changed function body",
        "CREATE OR REPLACE FUNCTION his.blood_rank(his.blood_group) RETURNS integer LANGUAGE sql"
        " IMMUTABLE STRICT AS 'SELECT 1 + array_position(enum_range(NULL::his.blood_group), $1)'",
        "his.blood_rank",
    ),
    Mutation(
        "a changed view",
        "CREATE OR REPLACE VIEW his.guarded WITH (security_barrier = true) AS"
        " SELECT id, name FROM his.patient WHERE id > 1011",
        "his.guarded",
    ),
    Mutation(
        "a view without its barrier",
        "ALTER VIEW his.guarded RESET (security_barrier)",
        "his.guarded",
    ),
    Mutation(
        "a materialized view emptied",
        "REFRESH MATERIALIZED VIEW lab.stale WITH NO DATA",
        "lab.stale",
    ),
    Mutation(
        "a dropped constraint", "ALTER TABLE his.legacy DROP CONSTRAINT code_form", "his.legacy"
    ),
    Mutation(
        "a constraint no longer deferrable",
        "ALTER TABLE his.ward ALTER CONSTRAINT ward_head_fkey NOT DEFERRABLE",
        "his.ward",
    ),
    Mutation("a label more", "ALTER TYPE his.blood_group ADD VALUE 'Rh'", "his.blood_group"),
    Mutation("a laxer domain", "ALTER DOMAIN his.dose DROP CONSTRAINT is_small", "his.dose"),
    Mutation("a child disowned", "ALTER TABLE his.doctor NO INHERIT his.staff", "his.doctor"),
    Mutation(
        "a partition detached",
        "ALTER TABLE lab.by_null DETACH PARTITION lab.by_null_null",
        "lab.by_null_null",
    ),
    Mutation("another storage", "ALTER TABLE lab.wide ALTER body SET STORAGE MAIN", "lab.wide"),
    Mutation("no cluster mark", "ALTER TABLE lab.result SET WITHOUT CLUSTER", "lab.result_pkey"),
    Mutation("another fill factor", "ALTER TABLE lab.result SET (fillfactor = 13)", "lab.result"),
    Mutation(
        "a mapping of a text search dropped",
        "ALTER TEXT SEARCH CONFIGURATION his.records DROP MAPPING FOR word",
        "his.records",
    ),
    Mutation(
        "a table less published",
        "ALTER PUBLICATION some_tables DROP TABLE his.legacy",
        "some_tables",
    ),
    Mutation("an extension dropped", "DROP EXTENSION pgcrypto", "pgcrypto"),
    Mutation(
        "statistics dropped", "DROP STATISTICS his.patient_statistics", "his.patient_statistics"
    ),
)

RIGHTS: tuple[Mutation, ...] = (
    Mutation("a changed grant", "GRANT DELETE ON his.patient TO his_reader", "his.patient"),
    Mutation(
        "a lost grant option",
        "REVOKE GRANT OPTION FOR USAGE ON SCHEMA ops FROM his_owner",
        "ops",
    ),
    Mutation(
        "a changed grant on a column",
        "REVOKE INSERT (born) ON his.patient FROM PUBLIC",
        "his.patient",
    ),
    Mutation(
        "a changed grant on a large object",
        "GRANT SELECT ON LARGE OBJECT 16500004 TO his_reader",
        "16500004",
    ),
    Mutation(
        "changed default privileges",
        "ALTER DEFAULT PRIVILEGES FOR ROLE his_owner REVOKE SELECT ON TABLES FROM his_reader",
        "his_owner",
    ),
    Mutation("a changed owner", "ALTER TABLE lab.empty OWNER TO his_owner", "lab.empty"),
    Mutation(
        "a changed owner of a large object",
        "ALTER LARGE OBJECT 16500002 OWNER TO his_writer",
        "16500002",
    ),
    Mutation("a dropped policy", "DROP POLICY own_rows ON ops.audit", "ops.audit"),
    Mutation(
        "row security off", "ALTER TABLE ops.guarded DISABLE ROW LEVEL SECURITY", "ops.guarded"
    ),
    Mutation("a changed comment", "COMMENT ON COLUMN his.patient.name IS 'name'", "his.patient"),
    Mutation(
        "a changed comment on a large object",
        "COMMENT ON LARGE OBJECT 16500002 IS NULL",
        "16500002",
    ),
)

DATABASE: tuple[Mutation, ...] = (
    Mutation(
        "a changed database setting",
        _setting("ALTER DATABASE %I SET default_statistics_target = 78"),
        "default_statistics_target",
    ),
    Mutation(
        "a changed setting of a role in the database",
        _setting("ALTER ROLE his_reader IN DATABASE %I RESET work_mem"),
        "work_mem",
    ),
    Mutation(
        "a changed grant on the database",
        _setting("GRANT TEMPORARY ON DATABASE %I TO his_reader"),
        "database",
    ),
    Mutation(
        "a changed comment on the database",
        _setting("COMMENT ON DATABASE %I IS NULL"),
        "database",
    ),
)

MUTATIONS: tuple[Mutation, ...] = (*ROWS, *SCHEMA, *RIGHTS, *DATABASE)
