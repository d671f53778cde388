"""What an environment allows its desktop flows: how it is kept, added to, and undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sealflow.connectors.desktop import Settings
from sealflow.connectors.desktop.folders import Allowed
from sealflow.engine.runtime.desktop.settings import InvalidSettingError, changed, settings_of


def test_nothing_is_allowed_where_nothing_is_kept() -> None:
    for kept in (None, {}, {"desktop": None}, {"other": 1}):
        assert settings_of(kept) == Settings()
    given = settings_of(None)
    assert [*given.folders, *given.mapping, *given.scripts, *given.applications, *given.answers] == []


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    path = str(tmp_path)
    kept = changed(
        {"other": 1},
        folders={path: False},
        mapping={"c:": path, "\\\\server\\share": path},
        scripts=("shell", "python"),
        applications=("tar",),
        answers={"*": "OK"},
        culture="de-DE",
        time_zone="Europe/Berlin",
        browser="/usr/bin/chromium",
    )
    assert kept["other"] == 1
    assert settings_of(kept) == Settings(
        folders=(Allowed(tmp_path, write=False),),
        mapping={"C:": tmp_path, "\\\\server\\share": tmp_path},
        scripts=frozenset({"shell", "python"}),
        applications=frozenset({"tar"}),
        answers={"*": "OK"},
        culture="de-DE",
        time_zone="Europe/Berlin",
        browser="/usr/bin/chromium",
    )


def test_more_is_added_to_what_there_is(tmp_path: Path) -> None:
    first = changed({}, scripts=("python",), answers={"A": "1", "B": "1"}, folders={str(tmp_path): True})
    second = changed(first, scripts=("python", "shell"), answers={"B": "2"}, folders={str(tmp_path): False})
    assert second["desktop"] == {
        "folders": [{"path": str(tmp_path), "write": False}],
        "scripts": ["python", "shell"],
        "answers": {"A": "1", "B": "2"},
    }
    assert first["desktop"]["folders"] == [{"path": str(tmp_path), "write": True}]


def test_mapping_a_folder_does_not_let_it_be_written_to(tmp_path: Path) -> None:
    path = str(tmp_path)
    read_only = [{"path": path, "write": False}]
    first = changed({}, folders={path: False})
    assert changed(first, mapping={"C:": path})["desktop"]["folders"] == read_only
    assert changed({}, folders={path: False}, mapping={"C:": path})["desktop"]["folders"] == read_only
    assert changed({}, mapping={"C:": path})["desktop"]["folders"] == [{"path": path, "write": True}]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"folders": {"relative": True}}, "relative"),
        ({"folders": {"/no/such/folder": True}}, "/no/such/folder"),
        ({"mapping": {"C:": "/no/such/folder"}}, "/no/such/folder"),
        ({"mapping": {"Data": "/"}}, "Data"),
        ({"mapping": {"7:": "/"}}, "7:"),
        ({"scripts": ("vbscript",)}, "vbscript"),
        ({"time_zone": "Nowhere/City"}, "Nowhere/City"),
        ({"time_zone": "../../etc/passwd"}, "passwd"),
        ({"culture": "xx-YY-ZZ"}, "xx-YY-ZZ"),
    ],
)
def test_what_cannot_be_allowed_is_named(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidSettingError, match=told):
        changed({}, **given)
