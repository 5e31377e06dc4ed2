"""Models in the layouts of other programs, with proof that they still say the same."""
