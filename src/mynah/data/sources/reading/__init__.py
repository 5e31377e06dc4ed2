"""What corpus formats share: listings, paths, values, tables."""
