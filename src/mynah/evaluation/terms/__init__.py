"""Words that matter: names, codes, numbers, and how well they are recognized."""
