"""Run the command line with `python -m sealflow`."""

from __future__ import annotations

import sys

from sealflow.engine.hosts.cli import main

if __name__ == "__main__":
    sys.exit(main())
