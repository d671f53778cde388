"""JSON Schema for ParseJson: whether a value fits, and where it does not.

References to other documents are not followed: a flow's definition must not make the engine fetch anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ....errors import ExpressionError
from ....values import Value

if TYPE_CHECKING:
    from ..state import Frame


def _refuse(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri}, and references to other documents are not followed")


class Validator:
    """Validates against one schema; a constant one is compiled once, with the first value."""

    def __init__(self, schema: Callable[[Frame], Value], constant: bool) -> None:
        self._schema = schema
        self._constant = constant
        self._compiled: Any = None

    def fault(self, frame: Frame, value: Value) -> str | None:
        """What is wrong with `value`, with its place, or None. Raises ExpressionError for a schema that is none."""
        import jsonschema_rs

        compiled = self._compiled
        if compiled is None:
            schema = self._schema(frame)
            if not isinstance(schema, dict | bool):
                raise ExpressionError("The 'schema' must be a JSON Schema object.")
            try:
                # Draft 4 is what the designers write; an explicit $schema wins.
                kind = (
                    jsonschema_rs.validator_cls_for(schema) if _names_draft(schema) else jsonschema_rs.Draft4Validator
                )
                compiled = kind(schema, retriever=_refuse)
            except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
                raise ExpressionError(f"The 'schema' is not valid: {_why(error)}") from None
            if self._constant:
                self._compiled = compiled
        for fault in compiled.iter_errors(value):
            return f"The content does not fit the schema{_at(fault)}: {_said(fault)}."
        return None


def _why(error: Exception) -> str:
    """What is wrong with a schema."""
    import jsonschema_rs

    if isinstance(error, jsonschema_rs.ValidationError) and error.kind.name == "$ref":
        return "it refers to another document, and such references are not followed."
    if isinstance(error, jsonschema_rs.ValidationError):
        return f"{_said(error)}{_at(error)}."
    return "it refers to something that is not there or not followed."


def _said(fault: Any) -> str:
    from .schema_errors import described

    return described(fault.kind.name, fault.kind.as_dict(), fault.instance)


def _at(fault: Any) -> str:
    place = "".join(f"/{part}" for part in fault.instance_path)
    return f" at {place}" if place else ""


def _names_draft(schema: dict[str, Any] | bool) -> bool:
    return isinstance(schema, dict) and isinstance(schema.get("$schema"), str)
