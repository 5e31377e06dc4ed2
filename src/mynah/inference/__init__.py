"""A trained recognizer in use: recordings of any length to text, with times."""
