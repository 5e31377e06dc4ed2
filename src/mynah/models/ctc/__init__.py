"""Connectionist temporal classification: one label or blank a frame."""
