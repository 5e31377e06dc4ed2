"""The clips whose counted frames are compared with those that a model puts out."""

# Samples at 16 kHz: tiny ones, the edges of windows and frames, and what a clip may well be.
LENGTHS = (
    *(0, 1, 2, 79, 80, 81, 159, 160, 161, 239, 240, 319, 320, 321, 399, 400, 401, 479, 480, 481),
    *(559, 560, 639, 640, 719, 720, 1039, 1040, 1279, 1280, 1281, 1599, 1600, 1601, 1999, 2560),
    *(4000, 5333, 7999, 8000, 8001, 11111, 15999, 16000, 16001, 23456, 30720),
)
