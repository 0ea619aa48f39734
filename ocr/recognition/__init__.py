"""Word recognition: the four-stage grid, its codecs, and what trains and runs it."""
