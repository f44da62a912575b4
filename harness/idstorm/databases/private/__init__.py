"""Private servers: started for a run from programs on this machine, crashed at will, and removed after it."""
