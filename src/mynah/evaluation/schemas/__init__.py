"""JSON schemas of the files that an evaluation writes."""
