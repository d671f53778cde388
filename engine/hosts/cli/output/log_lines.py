"""Log lines of a command: those that no handler takes go to stderr, without control characters."""

from __future__ import annotations

import logging
import sys

from .printable import printable


def safe_logging() -> None:
    """Make log lines that no handler takes `printable`: messages can quote names and errors of others."""
    if not isinstance(logging.lastResort, _PrintableHandler):
        logging.lastResort = _PrintableHandler(logging.WARNING)


class _PrintableHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(printable(self.format(record)) + "\n")
            sys.stderr.flush()
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)
