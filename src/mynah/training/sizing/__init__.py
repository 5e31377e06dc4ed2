"""What fits: batch sizes, memory, time, utterances a model can learn."""
