"""What a run needs of the Hugging Face hub, downloaded before it."""
