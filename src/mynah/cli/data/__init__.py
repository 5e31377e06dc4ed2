"""``mynah data ACTION``: one file an action."""
