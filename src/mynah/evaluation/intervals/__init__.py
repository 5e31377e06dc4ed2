"""How far a metric may be off by chance: confidence intervals of sums of vectors."""
