"""A transcript aligned to its recording by a CTC model."""
