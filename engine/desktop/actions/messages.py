"""Log message: it leaves a row in the run's log, and nothing else.

Source: desktop flows, "Logging actions"; the run's log shows the level of such rows.
"""

from __future__ import annotations

from typing import Final

from .port import Given, Outputs, PureAction, table_of

LEVELS: Final = ("InfoLevel", "WarningLevel", "ErrorLevel")


def _log(given: Given) -> Outputs:
    given.text("Message")
    given.choice("LogLevel", LEVELS[0], among=LEVELS)
    return {}


ACTIONS: Final = table_of((PureAction("Logging.LogMessage", _log),))
