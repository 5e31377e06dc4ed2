"""A corpus in tar shards of one size with an index beside each: opened in seconds at any size."""
