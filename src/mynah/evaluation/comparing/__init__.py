"""Several systems on the same utterances: read, checked, compared, explained."""
