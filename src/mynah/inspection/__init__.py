"""Looking at a corpus before it costs a training: what is in it, and what is wrong with it."""
