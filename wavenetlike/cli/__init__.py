"""The command ``wavenetlike``. `options` are what each command takes, and all that is loaded for help.

`lab` opens notebooks, `check` looks at the environment, `training` trains on one machine or many, `making` makes sound, `reports` says what
there is to learn from a dataset, `exporting` writes for other programs; `sources` are what a path may hold, `output` what is printed and written.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence

from wavenetlike.cli.options import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status, 0 if it did what was asked.

    Args:
        arguments: of the shell; None: those of this process.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(arguments)
    options.arguments = arguments
    try:
        _log()
        status = int(_function(options.run)(options))
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever reads has had enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + getattr(signal, "SIGPIPE", 13)
    except (ValueError, TypeError, RuntimeError, OSError, ImportError) as error:
        print(f"wavenetlike: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("wavenetlike: interrupted.", file=sys.stderr)
        return 128 + signal.SIGINT


def _log() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")


def _function(run: str) -> Callable[..., int]:
    """What ``module:function`` names in this folder, loaded now."""
    module, _, name = run.partition(":")
    function: Callable[..., int] = getattr(importlib.import_module(f"wavenetlike.cli.{module}"), name)
    return function
