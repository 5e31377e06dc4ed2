"""The legacy JSON dialect."""
