"""The command ``wavenetlike``: training on one machine or many (`training`), and what there is to learn from a dataset (`reports`).

`options` are what each command takes, `sources` what a path may hold.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence

from wavenetlike.cli.options import parser
from wavenetlike.cli.training import is_launcher, launch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status, 0 if it did what was asked.

    Args:
        arguments: of the shell; None: those of this process.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        status = launch(options, arguments) if is_launcher(options) else int(options.run(options))
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
