"""The checkpoints that presets name, and what training them takes."""
