"""``python -m wavenetlike.cli``, as torchrun starts every process."""

import sys

from wavenetlike.cli import main

if __name__ == "__main__":
    sys.exit(main())
