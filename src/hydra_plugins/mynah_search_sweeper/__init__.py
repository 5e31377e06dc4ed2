"""Hydra sweeper ``mynah_search``: points that Optuna proposes, instead of a grid."""
