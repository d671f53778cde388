"""The connections that expressions pick from the parameter `$connections`, as Logic Apps Consumption writes them."""

from __future__ import annotations

import re

_PICKED = re.compile(r"parameters\(\s*'\$connections'\s*\)\s*\??\[\s*'((?:[^']|'')+)'", re.IGNORECASE)


def picked_connections(text: str) -> list[str]:
    """The names in a text: `@parameters('$connections')['mail']['connectionId']` names the connection mail."""
    return [name.replace("''", "'") for name in _PICKED.findall(text)] if "$connections" in text.lower() else []
