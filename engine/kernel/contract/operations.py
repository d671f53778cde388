"""What a call addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call addresses. `kind` is `http`, `connector`, `workflow`, `batch` or `inline`;

    `connector` and `name` as far as the definition tells them.

    `webhook`: the answer comes later, by a callback. `options` are the action's operationOptions, lower-case;
    `settings` its runtimeConfiguration, e.g. pagination and content transfer. `fixed` are inputs that no expression
    changes and that are not recorded, since the definition holds them.
    """

    kind: str
    connector: str
    name: str
    webhook: bool
    options: frozenset[str]
    settings: dict[str, Any]
    fixed: dict[str, Any] = field(default_factory=dict)
