"""How a recipe becomes a corpus on disk: download, check, unpack."""
