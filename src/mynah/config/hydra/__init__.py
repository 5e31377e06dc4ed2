"""All that reaches into Hydra and OmegaConf."""
