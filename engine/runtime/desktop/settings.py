"""What an environment allows its desktop flows, as it is kept: a JSON object among the environment's settings.

Everything is off until an administrator allows it: folders, drives, scripts, programs. Answers to dialogs stand here
too, since nobody sits before the screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ....connectors.desktop import Settings
from ....connectors.desktop.folders import Allowed
from ...errors import SealflowError

DESKTOP: Final = "desktop"
"""The name under which it stands among the settings of an environment."""

LANGUAGES: Final = ("python", "powershell", "javascript", "shell")


class InvalidSettingError(SealflowError):
    """Something that cannot be allowed as it is said."""

    code = "InvalidSetting"


def settings_of(kept: Mapping[str, Any] | None) -> Settings:
    """The settings of desktop flows out of an environment's; of an environment that has none, nothing is allowed."""
    given = (kept or {}).get(DESKTOP) or {}
    return Settings(
        folders=tuple(Allowed(Path(each["path"]), bool(each.get("write", True))) for each in given.get("folders", [])),
        mapping={name: Path(path) for name, path in given.get("mapping", {}).items()},
        scripts=frozenset(given.get("scripts", [])),
        applications=frozenset(given.get("applications", [])),
        culture=given.get("culture", "en-US"),
        time_zone=given.get("timeZone", "UTC"),
        answers=given.get("answers", {}),
        browser=given.get("browser", ""),
    )


def changed(
    kept: Mapping[str, Any],
    *,
    folders: Mapping[str, bool] | None = None,
    mapping: Mapping[str, str] | None = None,
    scripts: tuple[str, ...] = (),
    applications: tuple[str, ...] = (),
    answers: Mapping[str, Any] | None = None,
    culture: str | None = None,
    time_zone: str | None = None,
    browser: str | None = None,
) -> dict[str, Any]:
    """The settings of an environment with more allowed to desktop flows.

    `folders` are absolute paths, and whether they may be written to. What a drive or share is mapped to is allowed too;
    whether it may be written to stays as it was said of the folder, and otherwise it may. Raises InvalidSettingError.
    """
    desktop: dict[str, Any] = dict(kept.get(DESKTOP) or {})
    listed = {each["path"]: bool(each.get("write", True)) for each in desktop.get("folders", [])}
    named = dict(folders or {})
    for path in (mapping or {}).values():
        named.setdefault(path, listed.get(path, True))
    for path, write in named.items():
        if not Path(path).is_absolute() or not Path(path).is_dir():
            raise InvalidSettingError(f"There is no folder '{path}'.", hint="Make it first, and give its full path.")
        listed[path] = write
    desktop["folders"] = [{"path": path, "write": write} for path, write in listed.items()]
    for name, path in (mapping or {}).items():
        drive = len(name) == len("C:") and name[0].isalpha() and name[1] == ":"
        if not drive and not name.startswith("\\\\"):
            raise InvalidSettingError(f"'{name}' is neither a drive nor a share.", hint="Write C:=PATH.")
        desktop.setdefault("mapping", {})[name.upper() if drive else name] = path
    unknown = [language for language in scripts if language not in LANGUAGES]
    if unknown:
        known = ", ".join(LANGUAGES)
        raise InvalidSettingError(f"'{unknown[0]}' is no language of scripts.", hint=f"These are: {known}.")
    _more(desktop, "scripts", scripts)
    _more(desktop, "applications", applications)
    desktop["answers"] = {**desktop.get("answers", {}), **(answers or {})}
    for key, value in (("culture", culture), ("timeZone", time_zone), ("browser", browser)):
        if value is not None:
            desktop[key] = value
    _check(desktop)
    return {**kept, DESKTOP: {name: value for name, value in desktop.items() if value}}


def told(
    *,
    folders: Mapping[str, bool] | None = None,
    mapping: Mapping[str, str] | None = None,
    answers: Mapping[str, Any] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """What goes on record of a change with these arguments of `changed`: what was allowed, by name. Not what a dialog
    is answered, which may be a secret.
    """
    allowed: dict[str, Any] = {
        "folders": [path if write else f"{path}:ro" for path, write in (folders or {}).items()],
        "mapping": dict(mapping or {}),
        "answers": sorted(answers or {}),
        **{_AS_KEPT.get(name, name): list(each) if isinstance(each, tuple) else each for name, each in others.items()},
    }
    return {"desktop": {name: value for name, value in allowed.items() if value}}


_AS_KEPT: Final = {"time_zone": "timeZone"}


def _more(desktop: dict[str, Any], name: str, values: tuple[str, ...]) -> None:
    desktop[name] = sorted({*desktop.get(name, []), *values})


def _check(desktop: Mapping[str, Any]) -> None:
    """Raises InvalidSettingError for a culture or a time zone that is not known."""
    from zoneinfo import ZoneInfo

    from ...desktop.expressions.culture import culture_of
    from ...errors import DefinitionError

    if "timeZone" in desktop:
        try:
            ZoneInfo(desktop["timeZone"])
        except (KeyError, ValueError, OSError):
            raise InvalidSettingError(f"There is no time zone '{desktop['timeZone']}'.") from None
    if "culture" in desktop:
        try:
            culture_of(desktop["culture"])
        except DefinitionError as error:
            raise InvalidSettingError(error.message, hint=error.hint) from None
