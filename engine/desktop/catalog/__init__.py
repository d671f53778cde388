"""The catalogue of the designer's actions: names, inputs, outputs, errors, and where each action can run.

The tables describe the language. They do not say which actions Sealflow runs. They are read when they are first used.
"""

from .aliases import ALIASES
from .entry import ActionSpec, ArgumentSpec, ErrorSpec, OutputSpec, Platform
from .refusals import windows_reason, withdrawn
from .statements import STATEMENTS
from .table import actions, canonical, enum_values, is_enum, is_module, is_windows_only, later, lookup, modules, reason

__all__ = [
    "ALIASES",
    "STATEMENTS",
    "ActionSpec",
    "ArgumentSpec",
    "ErrorSpec",
    "OutputSpec",
    "Platform",
    "actions",
    "canonical",
    "enum_values",
    "is_enum",
    "is_module",
    "is_windows_only",
    "later",
    "lookup",
    "modules",
    "reason",
    "windows_reason",
    "withdrawn",
]
