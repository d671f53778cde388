"""Locale data is what its generator makes of the CLDR."""

from __future__ import annotations

import pytest
from babel.core import get_cldr_version
from generate_cultures import DATA, text
from sealflow.engine.expressions.dotnet import cldr
from sealflow.engine.expressions.dotnet.cultures import culture


@pytest.mark.skipif(get_cldr_version() != cldr.VERSION, reason="another version of Babel than pyproject.toml names")
def test_the_data_file_is_what_the_generator_writes() -> None:
    assert DATA.read_text("utf-8") == text(), "run: ./dev sh python tools/generate_cultures.py"


def test_the_version_that_runs_pin_is_that_of_the_data() -> None:
    assert cldr.load().version == cldr.VERSION


def test_no_culture_has_names_in_the_script_of_another_language() -> None:
    scripts = {"he-IL": range(0x0590, 0x0600), "ar-EG": range(0x0600, 0x0700), "ja-JP": range(0x4E00, 0xA000)}
    for name, letters in scripts.items():
        for month in (*culture(name).months, *culture(name).short_months):
            assert all(ord(char) in letters for char in month if char.isalpha()), (name, month)
    assert culture("af-ZA").days[0] == "Sondag"
