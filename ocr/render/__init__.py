"""The synthetic text engine: scenes and word crops with character boxes, as pure functions of a random generator."""

VERSION = "2"
"""Raised whenever the same look and seed give other pictures, so that sets rendered by different engines are told apart."""
