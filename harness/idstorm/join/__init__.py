"""Joining sessions that somebody else opens: what they were told is recorded, and judged when everything is over."""
