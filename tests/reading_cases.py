"""Corners and picture files for several tests of reading."""

import numpy as np


def rect(x, y, w, h):
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def turned(quad, degrees, centre=(0, 0)):
    """Turned counter-clockwise as seen."""
    a = np.radians(degrees)
    m = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return ((quad - centre) @ m + centre).astype(np.float32)


def saved(folder, image, name="a.png", **options):
    path = folder / name
    image.save(path, **options)
    return path
