"""Showing what was judged. Nothing here judges, and nothing here knows a database."""
