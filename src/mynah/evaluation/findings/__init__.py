"""What else is found in an evaluation beside its rates: groups, words that matter, oddities."""
