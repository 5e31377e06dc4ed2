"""sherpa-onnx's layouts: CTC models as graphs from samples, Whisper as its two graphs."""
