"""Scene text detection and recognition: train, compare, evaluate and read under one protocol."""

import os

__version__ = "0.1.0"

MOST_PIXELS = 200_000_000
"""Pixels of the largest picture that is decoded (600 MB): seven hundred bytes may claim any size."""
# OpenCV compares a picture's header with its own limit before it takes memory, and reads that limit once, when it is loaded
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_PIXELS))
