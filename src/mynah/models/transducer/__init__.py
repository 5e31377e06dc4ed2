"""Transducers: RNN-T and TDT."""
