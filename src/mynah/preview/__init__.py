"""What augmentation makes of a few utterances, to hear and to see."""
