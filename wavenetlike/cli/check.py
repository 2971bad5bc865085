"""``wavenetlike check``: what is wrong with this environment, and the fix."""

from __future__ import annotations

import argparse

from wavenetlike.cli.output import as_json, say
from wavenetlike.environment import check_env


def check_command(options: argparse.Namespace) -> int:
    """``wavenetlike check``; the exit status, 1 where something is wrong."""
    found = check_env()
    say(as_json(found.as_dict()) if options.json else repr(found))
    return 0 if found.ok else 1
