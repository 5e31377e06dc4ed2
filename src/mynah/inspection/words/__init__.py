"""Words and characters of transcripts."""
