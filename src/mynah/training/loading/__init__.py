"""From rows of a corpus to batches on the device."""
