"""The demo and, one folder each, the tables of the papers."""
