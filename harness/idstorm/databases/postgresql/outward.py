"""What leads out of a storm's namespace, as far as a catalogue shows it.

A default, a trigger or a foreign key that names another schema would advance, write or lock objects that are not the
storm's. No catalogue knows what a function does inside, or where an application itself connects.
"""

from __future__ import annotations

import sqlalchemy as sa

_LEADING_OUT = """
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


def leading_out(connection: sa.Connection) -> list[str]:
    """Return, in words, what leads out of the current schema. Extensions' functions and stable ones are harmless.

    https://www.postgresql.org/docs/current/catalog-pg-depend.html
    """
    return [f"{what} leads to {where}" for what, where in connection.exec_driver_sql(_LEADING_OUT)]
