"""The designer's actions that are words of the language: module and display name, and how they begin in a script."""

from __future__ import annotations

from typing import Final

STATEMENTS: Final[tuple[tuple[str, str, str], ...]] = (
    ("Conditionals", "Case", "CASE"),
    ("Conditionals", "Default case", "DEFAULT"),
    ("Conditionals", "Else", "ELSE"),
    ("Conditionals", "Else if", "ELSE IF"),
    ("Conditionals", "If", "IF"),
    ("Conditionals", "Switch", "SWITCH"),
    ("FlowControl", "Comment", "#"),
    ("FlowControl", "End", "END"),
    ("FlowControl", "End region", "**ENDREGION"),
    ("FlowControl", "Exit subflow", "EXIT FUNCTION"),
    ("FlowControl", "Get last error", "ERROR =>"),
    ("FlowControl", "Go to", "GOTO"),
    ("FlowControl", "If safe stop requested", "FlowControl.IfSafeStop"),
    ("FlowControl", "Label", "LABEL"),
    ("FlowControl", "On block error", "BLOCK"),
    ("FlowControl", "Region", "**REGION"),
    ("FlowControl", "Run subflow", "CALL"),
    ("FlowControl", "Stop flow", "EXIT"),
    ("FlowControl", "Wait", "WAIT"),
    ("Loops", "Exit loop", "EXIT LOOP"),
    ("Loops", "For each", "LOOP FOREACH"),
    ("Loops", "Loop", "LOOP"),
    ("Loops", "Loop condition", "LOOP WHILE"),
    ("Loops", "Next loop", "NEXT LOOP"),
    ("Variables", "Set variable", "SET"),
)
