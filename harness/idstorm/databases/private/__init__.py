"""Private servers: started for a run from programs that are found, taken away after it, crashed in between."""
