"""What a checkpoint holds of a training, and how it goes on from there."""
