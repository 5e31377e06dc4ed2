"""How likely each word is right."""
