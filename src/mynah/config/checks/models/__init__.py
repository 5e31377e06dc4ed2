"""Rules of the model and of how its parts learn."""
