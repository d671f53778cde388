"""What an ARM template is deployed with, and how a string of one is told. What the strings mean is in `arm`, which is
loaded for a template only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

WORKFLOW: Final = "microsoft.logic/workflows"
"""The type of a resource that is a cloud flow, in lower case."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a template is deployed with. What is not given stays visible, as a placeholder in braces.

    `parameters` are values by the template's parameter names, in any case.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    subscription: str = "{subscription}"
    resource_group: str = "{resourceGroup}"
    location: str = "{location}"
    tenant: str = "{tenant}"
    name: str = "{deployment}"

    def placeholders(self) -> tuple[str, ...]:
        """Those parts that were not given."""
        parts = (self.subscription, self.resource_group, self.location, self.tenant, self.name)
        return tuple(part for part in parts if part.startswith("{"))


def is_template_string(text: str) -> bool:
    """Whether ARM would read this string as an expression or as an escaped one."""
    return len(text) > 2 and text[0] == "[" and text[-1] == "]"
