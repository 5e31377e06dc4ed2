"""What HTML pages are made of: escaped markup, plots, players, a shell with no outside."""
