"""Shows verdicts. Nothing here judges, and nothing here knows a database."""
