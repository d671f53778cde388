"""The tables of the modules against the catalogue: ids, the names of outputs, the names of arguments."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from types import ModuleType

import pytest
from sealflow.connectors.desktop.modules import module_names, table_of
from sealflow.engine.desktop.catalog import canonical, lookup
from sealflow.engine.desktop.catalog.secret_arguments import is_secret

UNKNOWN = frozenset(
    {
        "FlowControl.IfSafeStop",  # which the catalogue has among the words of the language
        "WebAutomation.LaunchEdge.AttachToForegroundEdge",  # as the two other browsers had it once
    }
)
MADE_UP = frozenset({"BooleanValue", "DateTimeValue", "NumericValue", "TextValue"})
"""Outputs of XML whose names the module puts together; see test_desktop_xml."""
OF_THE_ANSWER = frozenset({"SecondSelectedDate"})
"""Outputs that are named by who prepared the answer of a dialog."""


@cache
def texts_of(module: ModuleType) -> frozenset[str]:
    """Every text that stands in a module, in lower case: the names of outputs are among them."""
    tree = ast.parse(inspect.getsource(module))
    found = (each.value for each in ast.walk(tree) if isinstance(each, ast.Constant))
    return frozenset(value.casefold() for value in found if isinstance(value, str))


@pytest.mark.parametrize("module", module_names())
def test_the_actions_of_a_module_are_those_of_the_catalogue(module: str) -> None:
    names = [name for name in table_of(module) if lookup(name) is None]
    assert set(names) <= UNKNOWN
    for name in table_of(module):
        assert canonical(name).split(".")[0].casefold() == module


@pytest.mark.parametrize("module", module_names())
def test_outputs_are_named_as_in_the_catalogue(module: str) -> None:
    missing = []
    for name, operation in table_of(module).items():
        spec, home = lookup(name), inspect.getmodule(inspect.unwrap(operation.handler))
        assert home is not None
        for output in spec.outputs if spec is not None else ():
            if output.name not in MADE_UP | OF_THE_ANSWER and output.name.casefold() not in texts_of(home):
                missing.append(f"{name}: {output.name}")
    assert missing == []


def test_what_is_encrypted_in_the_designer_is_masked() -> None:
    from sealflow.engine.desktop.catalog import actions

    for spec in actions():
        for argument in spec.arguments or ():
            if argument.type == "Encryptable":
                assert is_secret(argument.name), f"{spec.id} {argument.name}"
    for name in ("Passwords", "ClientSecret", "connectionstring", "Input_ConnectionString", "Passphrase"):
        assert is_secret(name)
    for name in ("Text", "KeySize", "PasswordDelimiter", "TextToWrite", "AuthApp", "Keys", "TokenCount"):
        assert not is_secret(name)
