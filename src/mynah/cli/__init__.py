"""The command line: one table of commands, one file a command, and what they share."""
