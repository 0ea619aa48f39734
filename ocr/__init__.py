"""Scene text detection and recognition: train, compare, evaluate and read under one protocol."""

import os
import sys

__version__ = "0.1.0"

MOST_PIXELS = 200_000_000
"""Pixels of the largest picture that is decoded (600 MB): seven hundred bytes may claim any size."""
_VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"
LIMITED = _VARIABLE in os.environ or "cv2" not in sys.modules
"""Whether OpenCV compares a picture's header with this limit before it takes memory: it reads the limit once, when it is loaded."""
os.environ.setdefault(_VARIABLE, str(MOST_PIXELS))
