"""The catalogue queries of an audit: one statement each, whatever the number of tables.

https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

_OWN = """n.nspname !~ '^(pg_|information_schema$)' AND NOT EXISTS (SELECT FROM pg_depend e
    WHERE e.deptype = 'e' AND e.classid = 'pg_class'::regclass AND e.objid = c.oid)"""
_NAME = "quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
_TABLE = f"c.relkind IN ('r', 'p') AND NOT c.relispartition AND {_OWN}"
_BASE = "coalesce(nullif(y.typbasetype, 0), y.oid)"  # the type beneath a domain

_DRAWS = """(v.adbin::text LIKE '{FUNCEXPR :funcid 1574 %'
            OR split_part(v.adbin::text, ':args (', 1) LIKE '{FUNCEXPR %:funcformat 2 %'
            AND split_part(v.adbin::text, ':args (', 2) LIKE '{FUNCEXPR :funcid 1574 %')"""
"""Whether a default is a call of nextval (1574), or an implicit cast (2) of one.

Its source is not asked for, since `pg_get_expr` waits for a lock on the table.
"""

TABLES = f"""
SELECT c.oid::bigint, {_NAME}, EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_TABLE} ORDER BY 2
"""
"""Tables, and whether each has a primary key. A partition is part of its root."""

PARENTS = """
SELECT i.inhrelid::bigint, i.inhparent::bigint FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
"""

SEQUENCES = f"""
SELECT s.seqrelid::bigint, {_NAME}, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
    s.seqcache, s.seqcycle, has_sequence_privilege(c.oid, 'SELECT, USAGE')
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OWN} ORDER BY 2
"""

USERS = rf"""
WITH uses AS (
    SELECT d.refobjid AS sequence, v.adrelid AS relation, v.adnum::int AS place,
        CASE WHEN {_DRAWS} THEN 'default' ELSE 'expression' END AS how
    FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.refobjid JOIN pg_attrdef v ON v.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
    UNION ALL
    SELECT d.objid, d.refobjid, d.refobjsubid, CASE d.deptype WHEN 'i' THEN 'identity' ELSE 'owner' END
    FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
), leads AS (
    SELECT b.attrelid AS relation, b.attname
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am m ON m.oid = i.relam
    JOIN pg_attribute b ON b.attrelid = x.indrelid AND b.attnum = x.indkey[0]
    WHERE m.amname = 'btree' AND x.indisvalid AND x.indpred IS NULL
)
SELECT s.seqrelid::bigint, c.oid::bigint, u.how, quote_ident(a.attname), format_type({_BASE}, NULL),
    (c.oid, a.attname) IN (SELECT relation, attname FROM leads) AND NOT EXISTS (SELECT FROM pg_inherits h
        WHERE h.inhparent = c.oid AND c.relkind = 'r' AND (h.inhrelid, a.attname) NOT IN (SELECT * FROM leads)),
    quote_ident(n.nspname), has_schema_privilege(n.oid, 'USAGE'), has_column_privilege(c.oid, a.attnum, 'SELECT'),
    row_security_active(c.oid)
FROM uses u JOIN pg_sequence s ON s.seqrelid = u.sequence
JOIN pg_class c ON c.oid = u.relation JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.place JOIN pg_type y ON y.oid = a.atttypid
WHERE NOT a.attisdropped ORDER BY 1, 2, 4
"""
"""The columns that draw from a sequence by their default, within an expression or as an identity, and its owner.

https://www.postgresql.org/docs/current/catalog-pg-depend.html
"""

REFERENCES = f"""
SELECT {_NAME}, quote_ident(a.attname), a.type, quote_ident(tn.nspname) || '.' || quote_ident(t.relname) || '.'
    || quote_ident(i.attname), i.type
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair(own, theirs)
CROSS JOIN LATERAL (SELECT attname, format_type({_BASE}, NULL) AS type FROM pg_attribute b JOIN pg_type y
    ON y.oid = b.atttypid WHERE b.attrelid = c.oid AND b.attnum = pair.own) a
CROSS JOIN LATERAL (SELECT attname, format_type({_BASE}, NULL) AS type FROM pg_attribute b JOIN pg_type y
    ON y.oid = b.atttypid WHERE b.attrelid = t.oid AND b.attnum = pair.theirs) i
WHERE k.contype = 'f' AND a.type <> i.type AND {_TABLE} ORDER BY 1, 2
"""
"""Foreign keys whose columns are of another type than their keys'."""

UNGUARDED = f"""
SELECT {_NAME}, quote_ident(a.attname), format_type(a.atttypid, NULL)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type y ON y.oid = a.atttypid
WHERE {_TABLE} AND a.attnum > 0 AND NOT a.attisdropped AND a.attname ~* '(number|no|nr|num|code)$'
AND format_type({_BASE}, NULL) IN ('smallint', 'integer', 'bigint', 'numeric')
AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisunique AND a.attnum = ANY (x.indkey))
AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey))
ORDER BY 1, 2
"""
"""Numeric columns that are called like numbers of something, which no unique index and no foreign key has."""

PROGRAMS = f"""
SELECT 'trigger', quote_ident(g.tgname), {_NAME}, pg_get_functiondef(f.oid)
FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc f ON f.oid = g.tgfoid JOIN pg_language l ON l.oid = f.prolang
WHERE NOT g.tgisinternal AND g.tgtype & 4 <> 0 AND g.tgenabled <> 'D' AND l.lanname NOT IN ('internal', 'c')
AND f.prosrc ~* '(max|count)' AND {_TABLE}
UNION
SELECT 'default', quote_ident(a.attname), {_NAME}, pg_get_functiondef(f.oid)
FROM pg_attrdef v JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = v.oid
    AND d.refclassid = 'pg_proc'::regclass
JOIN pg_proc f ON f.oid = d.refobjid JOIN pg_language l ON l.oid = f.prolang
JOIN pg_class c ON c.oid = v.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = v.adnum
WHERE f.prokind = 'f' AND l.lanname NOT IN ('internal', 'c')
AND (f.prosrc ~* '(max|count)' OR coalesce(f.prosrc, '') = '') AND {_TABLE}
ORDER BY 3, 2
"""
"""Triggers that fire on INSERT, and defaults, whose functions may look for a maximum. 4 is TRIGGER_TYPE_INSERT."""

SUBSCRIPTIONS = """
SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1
"""

SUBSCRIBED = """
SELECT coalesce(pg_partition_root(r.srrelid)::oid, r.srrelid)::bigint, s.subname
FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
"""

POSITIONS = """
SELECT one, CASE WHEN has_sequence_privilege(one::oid, 'SELECT, USAGE') THEN pg_sequence_last_value(one::oid) END,
    NULL::bigint
FROM unnest(ARRAY[{}]::bigint[]) AS one
"""
"""The last value of each sequence that is still there, and its next one; the former is NULL where none was drawn.

https://www.postgresql.org/docs/current/view-pg-sequences.html
"""

POSITIONS_18 = """
SELECT one, CASE WHEN s.is_called THEN s.last_value END, CASE WHEN NOT s.is_called THEN s.last_value END
FROM unnest(ARRAY[{}]::bigint[]) AS one
LEFT JOIN LATERAL pg_get_sequence_data(CASE WHEN has_sequence_privilege(one::oid, 'SELECT') THEN one::oid END) s ON true
"""
"""The same, with the next value of those from which none was drawn, from version 18 on.

https://www.postgresql.org/docs/current/functions-sequence.html
"""

POSITION = """
SELECT {oid}, CASE WHEN is_called THEN last_value END, CASE WHEN NOT is_called THEN last_value END FROM {name}
"""
"""The same of one sequence."""

ALTERED = """
SELECT l.relation::bigint FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (l.mode = 'AccessExclusiveLock' OR (c.relkind = 'S' AND l.mode IN ('ShareRowExclusiveLock', 'ExclusiveLock')))
"""
"""The tables that sessions have locked, or wait to lock, against every reader, and the sequences that they alter."""
