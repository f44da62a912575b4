"""What leads out of a storm's namespace, as far as a catalogue tells.

A default, a trigger or a foreign key that names another schema would move, write or lock what is not the storm's. What
a function does inside, and where an application connects to by itself, no catalogue knows.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

_POSTGRESQL = """
SELECT DISTINCT 'the default of ' || t.relname || '.' || a.attname,
    coalesce(quote_ident(sn.nspname) || '.' || quote_ident(s.relname), f.oid::regprocedure::text)
FROM pg_attrdef v
JOIN pg_class t ON t.oid = v.adrelid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = v.adnum
JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = v.oid
LEFT JOIN pg_class s ON d.refclassid = 'pg_class'::regclass AND s.oid = d.refobjid
LEFT JOIN pg_namespace sn ON sn.oid = s.relnamespace
LEFT JOIN pg_proc f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid AND f.provolatile = 'v'
WHERE t.relnamespace = current_schema()::regnamespace
    AND coalesce(s.relnamespace, f.pronamespace) NOT IN ('pg_catalog'::regnamespace, t.relnamespace)
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' AND e.objid = d.refobjid AND e.classid = d.refclassid)
UNION
SELECT DISTINCT 'the trigger ' || g.tgname || ' of ' || t.relname, f.oid::regprocedure::text
FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid JOIN pg_proc f ON f.oid = g.tgfoid
WHERE t.relnamespace = current_schema()::regnamespace AND NOT g.tgisinternal
    AND f.pronamespace NOT IN ('pg_catalog'::regnamespace, t.relnamespace)
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' AND e.objid = f.oid)
UNION
SELECT DISTINCT 'the foreign key ' || k.conname || ' of ' || t.relname, k.confrelid::regclass::text
FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
WHERE k.contype = 'f' AND t.relnamespace = current_schema()::regnamespace AND r.relnamespace <> t.relnamespace
UNION
SELECT DISTINCT 'the rule ' || w.rulename || ' of ' || t.relname, r.oid::regclass::text
FROM pg_rewrite w JOIN pg_class t ON t.oid = w.ev_class
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class r ON r.oid = d.refobjid
WHERE t.relnamespace = current_schema()::regnamespace
    AND r.relnamespace NOT IN ('pg_catalog'::regnamespace, t.relnamespace)
UNION
SELECT DISTINCT t.relname || ' inherits, which', i.inhparent::regclass::text
FROM pg_inherits i JOIN pg_class t ON t.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE t.relnamespace = current_schema()::regnamespace AND p.relnamespace <> t.relnamespace
UNION
SELECT DISTINCT 'the default of the type of ' || t.relname || '.' || a.attname, y.oid::regtype::text
FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid JOIN pg_type y ON y.oid = a.atttypid
WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p') AND y.typdefaultbin IS NOT NULL
    AND y.typnamespace NOT IN ('pg_catalog'::regnamespace, t.relnamespace)
ORDER BY 1, 2
"""
_KEYS = """
SELECT DISTINCT CONCAT('the foreign key ', constraint_name, ' of ', table_name),
    CONCAT(referenced_table_schema, '.', referenced_table_name)
FROM information_schema.key_column_usage
WHERE table_schema = DATABASE() AND referenced_table_schema <> DATABASE() ORDER BY 1
"""
_WORDS = """
SELECT CONCAT('the default of ', table_name, '.', column_name), column_default, 0
FROM information_schema.columns WHERE table_schema = DATABASE() AND column_default LIKE '%%(%%'
AND (extra LIKE '%%DEFAULT_GENERATED%%' OR VERSION() LIKE '%%MariaDB%%')
UNION ALL
SELECT CONCAT('the trigger ', trigger_name, ' of ', event_object_table), action_statement, 1
FROM information_schema.triggers WHERE trigger_schema = DATABASE()
UNION ALL
SELECT CONCAT('the view ', table_name), view_definition, 1
FROM information_schema.views WHERE table_schema = DATABASE() AND table_name NOT LIKE 'idstorm%%'
"""


def of_postgresql(connection: sa.Connection) -> list[str]:
    """Return what leads out of the current schema, in words. Functions of extensions, and stable ones, do no harm.

    https://www.postgresql.org/docs/current/catalog-pg-depend.html
    """
    return [f"{what} leads to {where}" for what, where in connection.exec_driver_sql(_POSTGRESQL)]


def of_mysql(connection: sa.Connection) -> list[str]:
    """Return what leads out of the current database, in words: by its catalogue, or by the text of an expression.

    https://dev.mysql.com/doc/refman/9.7/en/information-schema-triggers-table.html
    """
    found = [f"{what} leads to {where}" for what, where in connection.exec_driver_sql(_KEYS)]
    others = "SELECT schema_name FROM information_schema.schemata WHERE schema_name <> DATABASE()"
    schemas = [str(name) for name in connection.exec_driver_sql(others).scalars()]
    for what, words, aliases in connection.exec_driver_sql(_WORDS):
        text = words if isinstance(words, str) else words.decode(errors="replace")
        found += [f"{what} leads to {name}" for name in schemas if _is_named(name, text, aliases=bool(aliases))]
    return found


def _is_named(schema: str, text: str, *, aliases: bool) -> bool:
    """Return whether a text of SQL names something in a schema.

    Where a table may have an `alias`, what stands before a point may be one, unless a word before it asks for a table.
    """
    plain, quoted = re.escape(schema), re.escape(schema.replace("`", "``"))
    before = r"\b(?:from|into|update|join|call|table|exists|value\s+for)\s*\(*\s*|\b\w+val\s*\(\s*" if aliases else ""
    named = rf"(?:{before})(?<![\w$.`])(?:{plain}|`{quoted}`)\s*\.\s*[\w$`]"
    return re.search(named, _NO_SQL.sub(" ", text), re.IGNORECASE) is not None


_NO_SQL = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|/\*.*?\*/|(?:--\s|#)[^\n]*", re.DOTALL)
"""Text and comments in a statement."""
