"""Long recordings with full transcripts, cut into utterances to train on."""
