"""What the command line does, as plain functions that need no terminal: one file for each command."""
