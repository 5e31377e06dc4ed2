"""Error rates by anything that is known of utterances."""
