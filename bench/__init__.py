"""What idstorm costs: what it adds to an insert, how fast it starts, how fast it judges.

    python -m bench [overhead|start|judge]... [--quick]

These are measurements, not tests: nothing fails where a number misses its target, it only says so.
"""
