"""Training, evaluation and the record of both: where Lightning is put on."""
