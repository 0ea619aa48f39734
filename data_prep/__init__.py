"""Raw data sets in, prepared sets out: ``python -m data_prep --help``."""
