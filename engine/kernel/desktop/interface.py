"""What goes into a desktop flow and comes out of it: declared inputs and outputs, by the names that callers know.

Callers give and get JSON values; a script has data types of its own. A sensitive value is handed out like any other,
since the caller asked for it; `masked` is for everything that shows a run.

Source: desktop flows, "Using inputs and outputs"; semantics of the types as solution exports declare them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ...datatypes import DataTable, Datum, plain, restored, stored
from ...desktop.expressions import conversions
from ...desktop.expressions.culture import DEFAULT, culture_of
from ...desktop.expressions.errors import ScriptError
from ...desktop.syntax.tree import Declared
from ...errors import DefinitionError
from ...values import Value
from .plan import ScriptPlan
from .state import ScriptState


def start_value(plan: ScriptPlan, given: Mapping[str, Value], culture: str = DEFAULT) -> dict[str, Any]:
    """The `trigger` of a START record: every declared input that has a value, by variable, in stored form.

    `given` is by external name, in any case. Raises DefinitionError: UnknownInput, MissingInput, InvalidInput,
    UnknownCulture.
    """
    culture_of(culture)
    named = {name.lower(): value for name, value in given.items()}
    known = {declared.external.lower(): declared for declared in plan.script.inputs}
    for name in given:
        if name.lower() not in known:
            names = ", ".join(f"'{each.external}'" for each in plan.script.inputs) or "none"
            raise DefinitionError(
                f"The flow has no input '{name}'.", code="UnknownInput", hint=f"Its inputs are: {names}."
            )
    values: dict[str, Any] = {}
    for name, declared in known.items():
        if name in named:
            values[declared.name.lower()] = stored(_input(declared, named[name], culture))
        elif declared.optional or declared.default is not None:
            default = _default(declared) if declared.default is None else _input(declared, declared.default, culture)
            values[declared.name.lower()] = stored(default)
        else:
            raise DefinitionError(
                f"The input '{declared.external}' is missing.",
                code="MissingInput",
                hint=f"It is of type {declared.type}.",
            )
    return {"name": "manual", "inputs": values}


def outputs_of(state: ScriptState, *, masked: bool = False) -> dict[str, Value]:
    """The flow's outputs as they are now, by external name; `masked`: sensitive ones are null."""
    found: dict[str, Value] = {}
    for declared in state.plan.script.outputs:
        name = declared.name.lower()
        hidden = masked and name in state.plan.sensitive
        value = state.slots[state.plan.scope.places[name]]
        found[declared.external] = None if hidden else plain(_output(declared, value))
    return found


def shown_outputs(state: ScriptState) -> dict[str, Value]:
    """As `outputs_of`, for everything that shows a run: masked."""
    return outputs_of(state, masked=True)


def _default(declared: Declared) -> Datum:
    """An input that is optional and was not given: blank of its type."""
    empty: dict[str, Datum] = {
        "string": "",
        "numeric": 0,
        "bool": False,
        "list": [],
        "customobject": {},
        "datatable": DataTable(),
    }
    return empty.get(declared.type.lower())


def _output(declared: Declared, value: Datum) -> Datum:
    return _default(declared) if value is None else value


def _input(declared: Declared, value: Value, culture_name: str) -> Datum:
    """A caller's JSON value as the declared type."""
    culture = culture_of(culture_name)
    kind = declared.type.lower()
    try:
        datum = restored(value)
        if kind == "string":
            return conversions.to_text(datum, culture)
        if kind == "numeric":
            return conversions.to_number(datum, culture)
        if kind == "bool":
            return conversions.to_boolean(datum, culture)
        if kind == "list":
            return conversions.to_list(datum)
        if kind == "customobject":
            return conversions.to_object(datum, culture)
        if kind == "datatable":
            return _table(datum)
        return datum
    except ScriptError as error:
        # The value may be a secret: the message names its type only.
        found = conversions.kind_of(Decimal(0) if isinstance(value, float) else value)
        raise DefinitionError(
            f"The input '{declared.external}' is of type {declared.type}, and {found} was given.", code="InvalidInput"
        ) from error


def _table(value: Datum) -> DataTable:
    """A table from a list of objects or a list of lists."""
    if not isinstance(value, list):
        return conversions.to_table(value)
    columns: list[str] = []
    for row in value:
        names = list(row) if isinstance(row, dict) else [f"Column{n + 1}" for n in range(len(conversions.to_list(row)))]
        columns += [name for name in names if name not in columns]
    rows = [
        tuple(row.get(name) for name in columns)
        if isinstance(row, dict)
        else tuple((conversions.to_list(row) + [None] * len(columns))[: len(columns)])
        for row in value
    ]
    return DataTable(tuple(columns), tuple(rows))
