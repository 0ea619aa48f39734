"""``python train.py model=craft data=synthtext+icdar``: compose, train, validate, evaluate; ``-m`` sweeps; ``--help`` lists all."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors reach main() whole, which prints the one line that matters

import hydra
from omegaconf import DictConfig

from ocr.config import CONF, explain
from ocr.terminal import run_quietly

_errors: list[Exception] = []


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def run(config: DictConfig) -> float | None:
    """Train one run and return its validation score; an error is kept for :func:`main`, and a sweep goes on."""
    from ocr.run.train import train  # torch is imported here, so that --help, --cfg and completion stay fast

    try:
        return train(config)
    except Exception as error:
        _errors.append(error)
        return None


def main() -> int:
    """Exit status: 0 done, 1 failed, 2 the command line is wrong, 130 interrupted (and saved)."""
    from ocr import sweep

    os.environ.pop(sweep.SWEEP, None)  # that of a sweep which this process is a part of
    try:
        run()
        if _errors:
            raise _errors[0]
        failures = sweep.failures(least=1)  # in other processes
        if failures:
            print(f"error: {failures}", file=sys.stderr)
            return 1
    except KeyboardInterrupt as interrupt:
        print(interrupt if interrupt.args else "interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        return _report(error, sweep.failures())
    finally:
        sweep.summary()
    return 0


def _report(error: Exception, failures: str | None) -> int:
    """Print what went wrong in one line; what is nobody's mistake but ours keeps its traceback."""
    if failures:
        print(f"error: {failures}", file=sys.stderr)
        return 1
    if isinstance(error, ValueError):
        print(f"error: {error}", file=sys.stderr)
        return 1
    line = explain(error, [a for a in sys.argv[1:] if "=" in a])
    if line is None:
        raise error
    print(f"error: {line}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(run_quietly(main))
