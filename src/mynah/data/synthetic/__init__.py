"""The embedded corpus: sentences of a grammar, spoken by espeak-ng."""
