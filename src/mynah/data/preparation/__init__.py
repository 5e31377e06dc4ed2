"""From the rows of a source to the rows of a corpus, with an account of each."""
