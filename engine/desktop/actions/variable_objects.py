"""Pure actions between custom objects and JSON. Source: desktop flows, "Variables actions"."""

from __future__ import annotations

from typing import Final

from ...errors import error_name
from ..expressions import json_text
from ..expressions.errors import ActionError, LogicError
from .port import Given, Outputs, PureAction, table_of


def _from_json(given: Given) -> Outputs:
    return {"CustomObject": json_text.read(given.text("Json"))}


def _to_json(given: Given) -> Outputs:
    try:
        return {"Json": json_text.write(given.value("CustomObject"), given.culture)}
    except LogicError as error:
        raise ActionError(error_name("Error parsing the custom object"), error.message) from None


ACTIONS: Final = table_of(
    (
        PureAction("Variables.ConvertJsonToCustomObject", _from_json),
        PureAction("Variables.ConvertCustomObjectToJson", _to_json),
    )
)
