"""One's own voice as a corpus: sentences that are read aloud, or transcripts that are corrected."""
