"""Scene text detection and recognition: train, compare, evaluate and read under one protocol."""

__version__ = "0.1.0"
