"""The sub-commands of ``ocr``, one module each, found by their file names (``import_weights`` is ``ocr import-weights``).

A module has ``HELP`` (one line), ``EXAMPLE`` (shown by ``ocr NAME --help``), ``OVERRIDES`` (whether it takes Hydra-like
``key=value`` words, which may stand anywhere on the line and arrive as ``arguments.overrides``), ``add_arguments(parser)`` and
``run(arguments) -> exit status``.  Heavy imports happen inside ``run``.
"""
