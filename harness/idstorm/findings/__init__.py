"""Findings: statuses, settled claims, verdicts, gates and reports. Nothing here knows of tapes or databases."""
