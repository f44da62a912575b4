"""Joining sessions that other code opens: the ids that they are told are recorded, and judged at the end."""
