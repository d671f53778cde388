"""The catalogue of the designer's actions: what each is called, takes, gives and can fail with, and where it can run.

Facts about the language only; what of it is built here is known to whoever runs actions. The tables are read once, at
the first question.
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
