"""Mutated inputs for every parser: each is accepted or refused with a code, in bounded time.

The long form is `./dev fuzz --count 10000000`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from fuzz_command import Campaign
from fuzz_stored import stored_targets
from fuzz_targets import pure_targets
from sealflow.connectors.isolated import flat_file, liquid_template, xml_schema
from sealflow.connectors.isolated.fault import Fault
from thorough import LONG


def test_changed_inputs_are_refused_with_a_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The maker gives definitions, expressions, scripts, packages, templates, connector definitions, maps and command
    lines that were changed at random; the database writer records, bundles, anchors and key files. Each is accepted or
    refused with a code, and none takes longer than a second.
    """
    for name in ("SEALFLOW_KEYSTORE", "SEALFLOW_HOME", "SEALFLOW_DEBUG"):
        monkeypatch.setenv(name, "")  # the targets set these
    stored, store = stored_targets(tmp_path)
    campaign = Campaign([*pure_targets(), *stored], seed=11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        campaign.run(200_000 if LONG else 4_000)
    store.close()
    assert campaign.to_json()["findings"] == []


@pytest.mark.parametrize("name", ["/a", "1", "a b", "x:y", ""])
def test_a_schema_with_names_that_are_none(name: str) -> None:
    """The maker gives an XML schema whose components have names that no document can have. The schema is refused;
    nothing crashes.
    """
    schema = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:complexType><xs:sequence>'
        f'<xs:element name="{name}" type="xs:int"/></xs:sequence></xs:complexType></xs:element></xs:schema>'
    )
    for job, operation, content in ((xml_schema, "compose", {name: 1}), (flat_file, "decode", "1")):
        inputs: Any = {"operation": operation, "content": content, "schema": schema, "related": {}}
        with pytest.raises(Fault) as caught:
            job.perform(inputs)
        assert caught.value.code == "InvalidSchema"


def test_a_schema_whose_element_or_attribute_has_no_name() -> None:
    """The maker gives an XML schema with an element or an attribute inside of another one that has no name. The schema
    is refused; nothing crashes.
    """
    for inner in ('<xs:sequence><xs:element nats="9"/></xs:sequence>', '<xs:attribute type="xs:int"/>'):
        schema = (
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:complexType>'
            f"{inner}</xs:complexType></xs:element></xs:schema>"
        )
        for content in ({"a": {"": 1, "@": 1}}, {"": ""}):
            with pytest.raises(Fault) as caught:
                xml_schema.perform({"operation": "compose", "content": content, "schema": schema, "related": {}})
            assert caught.value.code == "InvalidSchema"


def test_a_schema_whose_root_has_no_name() -> None:
    """The maker gives an XML schema with a root element that has no name. The schema is refused; nothing crashes."""
    schema = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element type="xs:int"/></xs:schema>'
    with pytest.raises(Fault) as caught:
        xml_schema.perform({"operation": "compose", "content": {"a": 1}, "schema": schema, "related": {}})
    assert caught.value.code == "InvalidSchema"


def test_a_template_over_half_of_a_surrogate_pair() -> None:
    """The maker gives a Liquid template content with half of a surrogate pair, which UTF-8 cannot encode. The template
    fails with a code; nothing crashes.
    """
    inputs = {"content": {"a": "\ud800"}, "map": "{{ content.a }}", "kind": "jsontotext"}
    with pytest.raises(Fault) as caught:
        liquid_template.perform(inputs)
    assert caught.value.code == "LiquidTemplateFailed"
