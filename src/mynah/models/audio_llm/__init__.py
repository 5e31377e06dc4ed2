"""Speech LLMs that transformers ships."""
