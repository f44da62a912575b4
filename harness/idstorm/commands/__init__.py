"""What the command line does, as plain functions: one file a command, for whoever has no terminal."""
