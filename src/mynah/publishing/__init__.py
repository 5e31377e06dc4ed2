"""A model to the Hugging Face hub: what may go, with a card of what is known of it."""
