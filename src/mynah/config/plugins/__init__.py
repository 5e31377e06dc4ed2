"""What can be added by name, and which there are: one file a kind."""
