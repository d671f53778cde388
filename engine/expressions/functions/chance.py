"""Functions of chance: guid and rand. Their random bytes come from the scope, so a replayed run draws the same ones."""

from __future__ import annotations

from uuid import UUID

from ...values import Value
from ..table import Family
from .arguments import RandomSource, fault, integer, text

FAMILY = Family("chance", "Logic Apps, expression functions reference: string functions")


@FAMILY.function("guid", 0, 1, random=True)
def guid(source: RandomSource, format_: Value = None) -> str:
    """A random GUID as text.

    The format is D (hyphens, the default), N (digits only), B (braces), P (parentheses) or X.
    """
    name = "D" if format_ is None or format_ == "" else text(format_, "guid")
    value = UUID(bytes=source(16), version=4)
    match name.upper():
        case "D":
            return str(value)
        case "N":
            return value.hex
        case "B":
            return f"{{{value}}}"
        case "P":
            return f"({value})"
        case "X":
            parts = ",".join(f"0x{byte:02x}" for byte in value.bytes[8:])
            return f"{{0x{value.time_low:08x},0x{value.time_mid:04x},0x{value.time_hi_version:04x},{{{parts}}}}}"
    raise fault("guid", f"expects the format to be 'D', 'N', 'B', 'P' or 'X': got '{name[:40]}'.")


@FAMILY.function("rand", 2, random=True, source="Logic Apps, expression functions reference: math functions")
def rand(source: RandomSource, minimum: Value, maximum: Value) -> int:
    """A random integer from `minimum` to before `maximum`."""
    low, high = integer(minimum, "rand", 1), integer(maximum, "rand", 2)
    if high < low:
        raise fault("rand", f"expects its first parameter not to exceed the second: got {low} and {high}.")
    if high == low:
        return low
    # 16 bytes over a range of at most 64 bits: the remainder is uniform for every purpose.
    return low + int.from_bytes(source(16), "big") % (high - low)
