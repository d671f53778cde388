"""The plain functions of the language, one file per family, and the one table of them all.

What needs a run (`outputs`, `variables`, ...) is a matter of the scope, not of this folder.
"""

from __future__ import annotations

from ..table import FunctionTable
from . import chance, collections, conversion, dates, logic, manipulation, math, numbers_format, strings, uri, xml

_FAMILIES = (chance, collections, conversion, dates, logic, manipulation, math, numbers_format, strings, uri, xml)

FUNCTIONS = FunctionTable(function for family in _FAMILIES for function in family.FAMILY.functions)
