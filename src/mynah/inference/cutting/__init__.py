"""What long recordings are cut by: pauses, and what is held while they are read."""
