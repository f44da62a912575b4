"""Everything that knows one database from another. One file a database; `targets` turns a word or a URL into one."""
