"""A recognizer on the network: OpenAI's protocol of transcriptions, for many clients at once."""
