"""Long recordings with whole transcripts, cut into utterances to train on."""
