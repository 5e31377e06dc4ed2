"""Augmentation of training audio: one file a change, and the chain that draws and makes them.

Every draw is a function of (seed, epoch, utterance) alone: :mod:`~mynah.data.augmentation.draws`.
"""
