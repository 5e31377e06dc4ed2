"""Before and after: the untuned base on the same utterances as the tuned model."""
