"""What sqlglot's tree of a statement says of its constants, comparisons and functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from dbops.repair.parsed_writes import Source, target_of
from dbops.repair.reading import Comparison, Cut, Literal, Target, Unsteady

_COMPARES: Final = (
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Like,
    exp.ILike,
    exp.In,
    exp.Between,
)
_SCOPES: Final = (exp.Query, exp.Update, exp.Delete, exp.Insert, exp.Merge)
_UNSTEADY: Final = (
    exp.CurrentTimestamp,
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentDatetime,
    exp.Localtime,
    exp.Localtimestamp,
    exp.Rand,
    exp.Randn,
    exp.Uuid,
)
_UNSTEADY_SPELLED: Final = """
clock_timestamp statement_timestamp transaction_timestamp timeofday random randomblob random_normal
nextval uuid_generate_v1 uuid_generate_v4 uuidv4 uuidv7 newid newsequentialid sysdate systimestamp
sysdatetime getdate getutcdate utc_timestamp uuid rand sys_guid txid_current pg_current_xact_id
last_insert_rowid lastval last_insert_id now curdate curtime unix_timestamp utc_date utc_time
"""
_UNSTEADY_NAMES: Final = frozenset(_UNSTEADY_SPELLED.split())
_UNSTEADY_TEXTS: Final = frozenset({"now", "today", "tomorrow", "yesterday"})
# Functions that sqlglot does not know and that write nothing.
_HARMLESS_SPELLED: Final = """
age array_position array_remove array_replace bool_and bool_or btrim cardinality changes
convert_from convert_to current_setting currval date datetime every format hashtext instr isfinite
json_agg json_array json_array_length json_build_array json_build_object json_each json_group_array
json_group_object json_insert json_object json_patch json_quote json_remove json_replace json_type
json_valid jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length
jsonb_build_array jsonb_build_object jsonb_each jsonb_insert jsonb_object_agg jsonb_object_keys
jsonb_pretty jsonb_set jsonb_strip_nulls jsonb_typeof julianday justify_days justify_hours
justify_interval likelihood likely make_date make_interval make_time make_timestamp
make_timestamptz md5 num_nonnulls num_nulls numrange octet_length pg_typeof printf quote
quote_ident quote_literal quote_nullable regexp_count regexp_match regexp_matches row_to_json scale
sha224 sha256 sha384 sha512 string_to_table strftime strpos time timediff to_ascii to_date to_hex
to_json to_jsonb to_timestamp total total_changes trim_scale typeof unicode unixepoch unlikely
width_bucket zeroblob
"""
_HARMLESS: Final = frozenset(_HARMLESS_SPELLED.split())


def literals(root: exp.Expr, source: Source) -> Iterator[Literal]:
    """Yield each constant, with the column beside it."""
    for node in root.find_all(exp.Literal):
        if not isinstance(node.parent, exp.DataTypeParam | exp.Command):
            yield Literal(str(node.this), bool(node.is_string), _column_beside(node, source))


def unsteady(root: exp.Expr, source: Source) -> Iterator[Unsteady]:
    """Yield each function whose value is another one each time."""
    for node in root.walk():
        if isinstance(node, _UNSTEADY):
            yield Unsteady(_spoken(node), _column_beside(node, source))
        elif isinstance(node, exp.Anonymous) and node.name.lower() in _UNSTEADY_NAMES:
            yield Unsteady(node.name.lower(), _column_beside(node, source))
        elif isinstance(node, exp.Literal) and _is_now(node):
            yield Unsteady(f"'{node.name.lower()}'", _column_beside(node, source))


def calls(root: exp.Expr) -> Iterator[str]:
    """Yield the name of each function that may write, for all that is known of it."""
    for node in root.find_all(exp.Anonymous):
        name = node.name.lower()
        named = isinstance(node.parent, exp.Dot) or bool(_schema(node))
        if named or name not in _HARMLESS | _UNSTEADY_NAMES:
            yield name


def comparisons(root: exp.Expr, source: Source) -> Iterator[Comparison]:
    """Yield each comparison of a bare column with a constant or a parameter."""
    for node in root.find_all(*_COMPARES):
        if _is_assignment(node):
            continue
        sides = _sides(node)
        for column, value in [(one, other) for one in sides for other in sides if one is not other]:
            if isinstance(column, exp.Column) and isinstance(column.this, exp.Identifier):
                found = _comparison(node, column, value, source)
                if found is not None:
                    yield found


def cuts(root: exp.Expr, source: Source) -> Iterator[Cut]:
    """Yield each LIMIT of a write, or of a query whose rows go into something."""
    for node in root.find_all(exp.Select, exp.Update, exp.Delete):
        alone = isinstance(node, exp.Select) and (
            node is root or node.find_ancestor(exp.Exists) is not None
        )
        if node.args.get("limit") is None or alone:
            continue
        order = node.args.get("order")
        ordered = [] if order is None else [part.this for part in order.expressions]
        names = [source.name(part.this) for part in ordered if isinstance(part, exp.Column)]
        yield Cut(_tables_of(node, source), tuple(names))


def _comparison(
    node: exp.Expr, column: exp.Column, value: exp.Expr, source: Source
) -> Comparison | None:
    inner = value.this if isinstance(value, exp.Neg) else value
    literal = parameter = None
    if isinstance(inner, exp.Literal):
        literal = Literal(str(inner.this), bool(inner.is_string), None)
    elif isinstance(inner, exp.Placeholder):
        parameter = source.parameters.get(inner.name)
    if literal is None and parameter is None:
        return None
    pattern = isinstance(node, exp.Like | exp.ILike)
    targets = _tables_for(column, source)
    return Comparison(source.name(column.this), targets, literal, parameter, pattern)


def _sides(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.In):
        parts = [node.this, *node.expressions]
    elif isinstance(node, exp.Between):
        parts = [node.this, node.args.get("low"), node.args.get("high")]
    else:
        parts = [node.this, node.expression]
    return [part for part in parts if isinstance(part, exp.Expr)]


def _is_assignment(node: exp.Expr) -> bool:
    return node.arg_key == "expressions" and isinstance(
        node.parent, exp.Update | exp.OnConflict | exp.Set | exp.SetItem
    )


def _tables_for(column: exp.Column, source: Source) -> tuple[Target, ...]:
    """Return the tables that the column may be of, those of enclosing queries too."""
    scopes = []
    scope = column.find_ancestor(*_SCOPES)
    while scope is not None:
        scopes.append(scope)
        scope = scope.find_ancestor(*_SCOPES)
    tables = [table for scope in scopes for table in _own_tables(scope)]
    alias = column.table.lower()
    if alias:
        named = [table for table in tables if table.alias_or_name.lower() == alias]
        tables = sorted(named, key=lambda table: not table.alias)[:1]  # T-SQL updates an alias
    return tuple(dict.fromkeys(target_of(table, source) for table in tables))


def _tables_of(scope: exp.Expr, source: Source) -> tuple[Target, ...]:
    return tuple(dict.fromkeys(target_of(table, source) for table in _own_tables(scope)))


def _own_tables(scope: exp.Expr) -> list[exp.Table]:
    found = scope.find_all(exp.Table)
    return [table for table in found if table.find_ancestor(*_SCOPES) is scope]


def _column_beside(node: exp.Expr, source: Source) -> str | None:
    """Return the column that a value is compared with, or put into; None where none is seen."""
    child: exp.Expr = node
    parent = node.parent
    while parent is not None:
        if isinstance(parent, _COMPARES):
            return _other_column(parent, child, source)
        if isinstance(parent, exp.Insert):
            return None
        if isinstance(parent, exp.Tuple | exp.Select):
            return _inserted_column(parent, child, source)
        child, parent = parent, parent.parent
    return None


def _other_column(node: exp.Expr, child: exp.Expr, source: Source) -> str | None:
    for side in _sides(node):
        column = None if side is child else side.find(exp.Column)
        if column is not None and isinstance(column.this, exp.Identifier):
            return source.name(column.this)
    return None


def _inserted_column(node: exp.Expr, child: exp.Expr, source: Source) -> str | None:
    """Return the column of an INSERT that stands where `child` does in its row."""
    insert = node.find_ancestor(exp.Insert)
    schema = None if insert is None else insert.this
    direct = isinstance(node.parent, exp.Values | exp.Insert)
    places = [place for place, part in enumerate(node.expressions) if part is child]
    if not direct or not places or not isinstance(schema, exp.Schema):
        return None
    if places[0] >= len(schema.expressions):
        return None
    return source.name(schema.expressions[places[0]])


def _is_now(node: exp.Literal) -> bool:
    used = isinstance(node.parent, exp.Func | exp.Cast)
    return bool(node.is_string) and used and node.name.lower() in _UNSTEADY_TEXTS


def _spoken(node: exp.Expr) -> str:
    """Return the name of one of sqlglot's own functions, as SQL mostly spells it."""
    return node.sql_names()[0].lower() if isinstance(node, exp.Func) else node.key


def _schema(node: exp.Anonymous) -> str:
    table = node.parent
    return str(table.db) if isinstance(table, exp.Table) else ""
