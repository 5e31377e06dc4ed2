"""LoRA adapters, and frozen weights in four bits."""
