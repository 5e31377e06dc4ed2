"""The parts of ``benchmarks/gpu_day.py``: what each checks and measures on a GPU."""
