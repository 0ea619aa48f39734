"""Benchmarks: ``make bench-NAME`` runs the module of that name.

Each compares ways to do one thing in one process, in turns, and ends with lines ``figure <name> <value> <unit> target <value>
<ok|short>``.
"""

# Before OpenCV, which reads its limit of pixels once, when it is loaded: as in train.py, pictures are not looked at twice.
import ocr as ocr
