"""CRAFT: character region awareness for text detection, with weak supervision from word boxes."""
