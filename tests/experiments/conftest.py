"""The table that the tests of this folder run."""

from study_folder import table

__all__ = ["table"]
