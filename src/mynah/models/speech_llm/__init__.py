"""A speech encoder, a projector and a causal language model."""
