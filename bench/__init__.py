"""What idstorm costs: what it adds to an insert, how fast it starts, judges and reads back, and beside other tools.

    python -m bench [overhead|start|judge|census|versus]... [--on DIALECT]... [--quick]

These are measurements, not tests: nothing fails where a number misses its target, it only says so.
"""
