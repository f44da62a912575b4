"""What leads out of a storm's namespace, as far as a catalogue shows it.

A default, a trigger or a foreign key that names another schema would advance, write or lock objects that are not the
storm's. No catalogue knows what a function does inside, or where an application itself connects.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

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


def leading_out(connection: sa.Connection) -> list[str]:
    """Return, in words, what leads out of the current database, by its catalogue or the text of its expressions.

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
    """Return whether a SQL text names something in a schema.

    `aliases`: a name before a dot may be a table's alias, so it counts only after a keyword that takes a table.
    """
    plain, quoted = re.escape(schema), re.escape(schema.replace("`", "``"))
    before = r"\b(?:from|into|update|join|call|table|exists|value\s+for)\s*\(*\s*|\b\w+val\s*\(\s*" if aliases else ""
    named = rf"(?:{before})(?<![\w$.`])(?:{plain}|`{quoted}`)\s*\.\s*[\w$`]"
    return re.search(named, _NO_SQL.sub(" ", text), re.IGNORECASE) is not None


_NO_SQL = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|/\*.*?\*/|(?:--\s|#)[^\n]*", re.DOTALL)
"""Text and comments in a statement."""
