"""What is found: statuses, claims settled, verdicts, gates and reports. Nothing here knows of tapes or databases."""
