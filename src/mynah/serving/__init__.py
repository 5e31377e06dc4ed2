"""A recognizer on the network: OpenAI's transcription API, for many clients at once."""
