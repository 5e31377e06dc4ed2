"""What recordings measure."""
