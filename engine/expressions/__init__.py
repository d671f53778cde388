"""The expression language of cloud flows: parser, compiler to closures, functions by family.

A `Scope` resolves names such as `outputs('X')` when an expression is compiled. Nothing here reads a clock, draws random
numbers or does I/O: time and randomness come from the scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy
from .compile import (
    Compiled,
    Evaluator,
    Suspend,
    compile_node,
    compile_string,
    compile_value,
)
from .conditions import compile_condition
from .functions import FUNCTIONS
from .observe import Observer, Step, Steps
from .parser import parse_expression
from .scope import CONTEXT_FUNCTIONS, Scope
from .syntax import Access, Call, Literal, Node, Template, unparse, walk
from .table import Family, Function, FunctionTable
from .template import Found, find_expressions, parse_string

if TYPE_CHECKING:
    from .context import ContextScope, compile_text, evaluate_text

__all__ = [
    "CONTEXT_FUNCTIONS",
    "FUNCTIONS",
    "Access",
    "Call",
    "Compiled",
    "ContextScope",
    "Evaluator",
    "Family",
    "Found",
    "Function",
    "FunctionTable",
    "Literal",
    "Node",
    "Observer",
    "Scope",
    "Step",
    "Steps",
    "Suspend",
    "Template",
    "compile_condition",
    "compile_node",
    "compile_string",
    "compile_text",
    "compile_value",
    "evaluate_text",
    "find_expressions",
    "parse_expression",
    "parse_string",
    "unparse",
    "walk",
]

_CONTEXT = dict.fromkeys(("ContextScope", "compile_text", "evaluate_text"), ".context")
__getattr__, __dir__ = lazy.names(globals(), _CONTEXT)
