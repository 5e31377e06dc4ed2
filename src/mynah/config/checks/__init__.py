"""What is wrong with a finished configuration: one file a set of rules."""
