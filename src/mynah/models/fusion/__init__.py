"""What joins a beam: language models of words, and hot words (shallow fusion)."""
