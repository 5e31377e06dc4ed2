"""Processes that train one model: how they meet, what they must share, and when one is lost."""
