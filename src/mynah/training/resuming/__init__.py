"""What a checkpoint holds of a training, and how it resumes from there."""
