"""What sqlglot's tree of a statement says of the tables that it writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dbops.repair.clauses import Word, clauses_after, commas, quote, renamed
from dbops.repair.reading import Guard, Made, Op, Predicate, Target, Write
from dbops.repair.table import TableName

Clauses = Mapping[str, tuple[Word, ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """A statement's text as sqlglot got it, and as its author wrote it: of the same length.

    `parameters` and `identifiers` have the parameter of each name that stands for a placeholder;
    `rows` says that one of them is a column of a set of rows.
    """

    text: str
    original: str
    dialect: str
    words: tuple[Word, ...]
    parameters: Mapping[str, str]
    identifiers: Mapping[str, str]
    rows: bool

    def name(self, identifier: exp.Expr) -> str:
        """Return a name as the catalogue has it; `:p` for the one that parameter p names."""
        name = identifier.name
        if isinstance(identifier, exp.Identifier) and identifier.args.get("quoted"):
            parameter = self.identifiers.get(name)
            return name if parameter is None else f":{parameter}"
        if self.dialect == "postgres":
            return name.lower()
        return name.upper() if self.dialect == "oracle" else name


def target_of(table: exp.Expr, source: Source) -> Target:
    """Return the table that the tree's node names."""
    node = table.this if isinstance(table, exp.Schema) else table
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        return Target(None)
    name = source.name(node.this)
    if name.startswith(":"):
        return Target(None, name[1:])
    schema = node.args.get("db")
    return Target(TableName("" if schema is None else source.name(schema), name))


def writes(root: exp.Expr, source: Source) -> Iterator[Write]:
    """Yield each write of the statement, those of its WITH too."""
    for node in root.find_all(exp.Insert, exp.Update, exp.Delete, exp.Merge):
        if isinstance(node.parent, exp.When):
            continue
        if isinstance(node, exp.Insert):
            yield _insert(node, source)
        elif isinstance(node, exp.Merge):
            yield _merge(node, source)
        elif isinstance(node, exp.Update | exp.Delete):
            yield from _changes(node, source)


def makes(root: exp.Expr, source: Source) -> Iterator[Made]:
    """Yield each table that the statement makes."""
    into = root.args.get("into")
    if isinstance(into, exp.Into) and isinstance(into.this, exp.Table):
        table = target_of(into.this, source).table
        if table is not None:
            yield Made(table, bool(into.args.get("temporary")))
    if isinstance(root, exp.Create) and root.args.get("kind") == "TABLE":
        table = target_of(root.this, source).table
        if table is not None:
            yield Made(table, root.find(exp.TemporaryProperty) is not None)


def _insert(node: exp.Insert, source: Source) -> Write:
    conflict = node.args.get("conflict")
    sets = () if conflict is None else _assigned(conflict.expressions, source)
    replaces = node.args.get("alternative") == "REPLACE"
    ops = {Op.INSERT} | ({Op.UPDATE} if sets else set()) | ({Op.DELETE} if replaces else set())
    where = _where_inserted(node, source)
    return Write(frozenset(ops), target_of(node.this, source), Guard.SOME, sets, where)


def _merge(node: exp.Merge, source: Source) -> Write:
    ops: set[Op] = set()
    sets: list[str] = []
    for when in node.find_all(exp.When):
        then = when.args.get("then")
        if isinstance(then, exp.Insert):
            ops.add(Op.INSERT)
        elif isinstance(then, exp.Update):
            ops.add(Op.UPDATE)
            sets += _assigned(then.expressions, source)
        elif then is not None and then.name.upper() == "DELETE":
            ops.add(Op.DELETE)
    on = node.args.get("on")
    where = _where_of(node, source, "USING", "ON", on)
    target = target_of(node.this, source)
    return Write(frozenset(ops), target, _guard([on]), tuple(dict.fromkeys(sets)), where)


def _changes(node: exp.Update | exp.Delete, source: Source) -> Iterator[Write]:
    """Yield the writes of an UPDATE or DELETE: more than one where it names several tables."""
    op = Op.UPDATE if isinstance(node, exp.Update) else Op.DELETE
    clause = node.args.get("where")
    joined = [join.args.get("on") for join in node.find_all(exp.Join) if _is_of(join, node)]
    guard = _guard([None if clause is None else clause.this, *joined])
    aliases = _aliases(node, source)
    for table, columns in _targets(node, source):
        target = aliases.get(table.name.lower(), target_of(table, source))
        if table is node.this and not table.args.get("joins"):
            condition = None if clause is None else clause.this
            taken = "FROM" if op is Op.UPDATE else "USING"
            where = _where_of(node, source, taken, "WHERE", condition)
        else:
            where = Predicate("", exact=False)
        yield Write(frozenset({op}), target, guard, columns, where)


def _targets(
    node: exp.Update | exp.Delete, source: Source
) -> Iterator[tuple[exp.Table, tuple[str, ...]]]:
    main = node.this
    several = [table for table in node.args.get("tables") or () if isinstance(table, exp.Table)]
    if isinstance(node, exp.Delete) and several:
        yield from ((table, ()) for table in several)
    elif isinstance(main, exp.Table):
        columns = _assigned(node.expressions, source) if isinstance(node, exp.Update) else ()
        others = {join.this.alias_or_name: join.this for join in main.args.get("joins") or ()}
        own = [name for name in columns if name.partition(".")[0] not in others]
        yield main, tuple(name.rpartition(".")[2] for name in own)
        for alias, table in others.items():
            own = [name for name in columns if name.startswith(f"{alias}.")]
            if own:
                yield table, tuple(name.partition(".")[2] for name in own)


def _assigned(assignments: Sequence[exp.Expr], source: Source) -> tuple[str, ...]:
    """Return the columns on the left of assignments; of a MySQL join with its table's alias."""
    found: list[str] = []
    for assignment in assignments:
        left = assignment.this
        columns = left.expressions if isinstance(left, exp.Tuple) else [left]
        for column in columns:
            named = column.find(exp.Column) if isinstance(column, exp.Expr) else None
            if named is not None and isinstance(named.this, exp.Identifier):
                prefix = f"{named.table}." if named.table and source.dialect == "mysql" else ""
                found.append(prefix + source.name(named.this))
    return tuple(dict.fromkeys(found))


def _aliases(node: exp.Expr, source: Source) -> dict[str, Target]:
    """Return what aliases of the statement's own tables stand for (T-SQL updates by them)."""
    tables = [table for table in node.find_all(exp.Table) if table.alias and _is_of(table, node)]
    return {table.alias.lower(): target_of(table, source) for table in tables}


def _is_of(part: exp.Expr, node: exp.Expr) -> bool:
    """Whether no other statement or query lies between them."""
    return part.find_ancestor(exp.Query, exp.Update, exp.Delete, exp.Insert, exp.Merge) is node


def _guard(conditions: Sequence[exp.Expr | None]) -> Guard:
    given = [condition for condition in conditions if condition is not None]
    if not given:
        return Guard.NONE
    return Guard.ALWAYS if all(_truth(condition) is True for condition in given) else Guard.SOME


def _truth(node: exp.Expr) -> bool | None:
    """Whether a condition is true, or not, for every row whose columns are not NULL."""
    if isinstance(node, exp.Paren):
        return _truth(node.this)
    if isinstance(node, exp.Not):
        inner = _truth(node.this)
        return None if inner is None else not inner
    if isinstance(node, exp.And | exp.Or):
        sides = {_truth(node.this), _truth(node.expression)}
        decides = isinstance(node, exp.Or)
        return decides if decides in sides else (None if None in sides else not decides)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Literal):
        return node.this.strip("0.") != "" if not node.is_string else None
    if isinstance(node, exp.Like) and isinstance(node.expression, exp.Literal):
        return True if node.expression.this.strip("%") == "" and node.expression.this else None
    return _truth_of_comparison(node)


def _truth_of_comparison(node: exp.Expr) -> bool | None:
    if not isinstance(node, exp.EQ | exp.GTE | exp.LTE | exp.NEQ | exp.NullSafeEQ):
        return None
    same = node.this == node.expression
    if same:
        return not isinstance(node, exp.NEQ)
    constants = isinstance(node.this, exp.Literal) and isinstance(node.expression, exp.Literal)
    if constants and isinstance(node, exp.EQ | exp.NEQ):
        return isinstance(node, exp.NEQ)
    return None


def _where_of(
    node: exp.Expr, source: Source, taken: str, clause: str, condition: exp.Expr | None
) -> Predicate:
    """Return the statement's condition as one on the rows of its target alone."""
    table = node.this
    clauses = _clauses(table, source)
    words = clauses.get(clause, ())
    if condition is None or not words or source.rows:
        return Predicate("", exact=condition is None)
    name = quote(_table_words(table, source), source.original)
    alias = table.alias or table.name
    others = clauses.get(taken, ())
    if others and name:
        if _names(others, table.name):  # T-SQL names the target among the others
            return Predicate("", exact=False)
        inner = renamed(words, alias, name, source.original)
        among = quote(others, source.original)
        text = f"EXISTS (SELECT 1 FROM {among} WHERE {inner})"  # noqa: S608  (proposed, not run)
        return Predicate(text, exact=False)
    if table.alias:
        return Predicate(renamed(words, alias, name, source.original), exact=False)
    same = _means(quote(words, source.text), condition, source)
    return Predicate(quote(words, source.original), exact=same)


def _names(words: Sequence[Word], name: str) -> bool:
    return any(word.upper == name.upper() for word in words)


def _means(text: str, condition: exp.Expr, source: Source) -> bool:
    """Whether the words found are all of the condition that the tree has."""
    try:
        found = sqlglot.parse_one(f"SELECT 1 WHERE {text}", read=source.dialect)
    except SqlglotError:
        return False
    where = found.args.get("where")
    return isinstance(where, exp.Where) and where.this == condition


def _where_inserted(node: exp.Insert, source: Source) -> Predicate:
    """Return a condition that one row of constants and parameters will fulfil."""
    clauses = _clauses(node.this, source)
    values = commas(clauses.get("VALUES", ()))
    schema = node.this
    columns = schema.expressions if isinstance(schema, exp.Schema) else []
    plain = all(len(value) <= 2 for value in values)  # a constant, or a colon and a name
    if source.rows or not values or len(values) != len(columns) or not plain:
        return Predicate("", exact=False)
    chosen = _keys(node)
    parts = [
        f"{column.name} = {quote(value, source.original)}"
        for column, value in zip(columns, values, strict=True)
        if _is_set(value) and (chosen is None or column.name in chosen)
    ]
    return Predicate(" AND ".join(parts), exact=False)


def _keys(node: exp.Insert) -> set[str] | None:
    """Return the columns that find a row that is there already; None where none is changed."""
    conflict = node.args.get("conflict")
    if conflict is not None and conflict.expressions:
        keys = conflict.args.get("conflict_keys") or ()
        return {column.name for key in keys for column in key.find_all(exp.Column)}
    return set() if node.args.get("alternative") == "REPLACE" else None


def _is_set(value: Sequence[Word]) -> bool:
    return all(word.upper not in {"NULL", "DEFAULT"} for word in value)


def _place(table: exp.Expr, source: Source) -> int | None:
    """Return where among the words the table's own name stands."""
    node = table.this if isinstance(table, exp.Schema) else table
    start = node.this.meta.get("start") if isinstance(node.this, exp.Identifier) else None
    places = [place for place, word in enumerate(source.words) if word.start == start]
    return places[0] if places else None


def _clauses(table: exp.Expr, source: Source) -> Clauses:
    place = _place(table, source)
    merge = isinstance(table.parent, exp.Merge)
    return {} if place is None else clauses_after(source.words, place, merge=merge)


def _table_words(table: exp.Expr, source: Source) -> Sequence[Word]:
    """Return the words of the table's name, with those of its schema."""
    place = _place(table, source)
    if place is None:
        return ()
    schema = place >= 2 and source.words[place - 1].upper == "."
    return source.words[place - 2 if schema else place : place + 1]
