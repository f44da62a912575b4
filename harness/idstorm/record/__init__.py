"""Recordings: plans, tapes, histories, censuses, verdicts, and the folder that keeps them.

The storm writes these, the judge reads some and writes others, the report shows them. Nothing here knows a database.
"""
