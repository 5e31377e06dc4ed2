"""What augmentation makes of a few utterances, to listen to and to see."""
