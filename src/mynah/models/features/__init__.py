"""From samples to what an encoder takes."""
