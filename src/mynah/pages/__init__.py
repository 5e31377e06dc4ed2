"""What HTML pages consist of: escaped markup, plots, players, a shell with no outside."""
