"""Several hypotheses of each utterance: what the best of them and a language model would give."""
