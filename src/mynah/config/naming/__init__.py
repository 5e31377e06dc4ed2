"""What a layer of settings names, a corpus or a model, and what below it is then not taken."""
