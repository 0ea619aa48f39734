"""Prepared data sets: the store on disk, sets as Python sequences, their mixture and their statistics."""
