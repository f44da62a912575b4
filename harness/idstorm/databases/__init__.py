"""Everything that differs between databases, one package for each. `targets` turns a word or a URL into one."""
