"""A search over settings: Optuna proposes the points, each of them is an ordinary training."""
