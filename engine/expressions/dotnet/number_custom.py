"""Writing numbers by .NET's custom numeric patterns, such as `0,0.00` or `#,##0.##;(#);zero`.

Source: .NET documentation, "Custom numeric format strings". The rules of sections, scaling commas and exponents are
those of Number.NumberToStringFormat.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from .cultures import NumberRules

WIDE = Context(prec=20_000, Emax=999_999, Emin=-999_999, rounding=ROUND_HALF_UP)
# A double is first cut to so many significant digits (DoublePrecisionCustomFormat).
DOUBLE_DIGITS = 15


def format_custom(number: int | float | Decimal, pattern: str, rules: NumberRules) -> str:
    """The number by a custom pattern of one to three sections (positive; negative; zero)."""
    value = Decimal(number)
    if isinstance(number, float):
        value = Context(prec=DOUBLE_DIGITS, rounding=ROUND_HALF_UP).plus(value)
    sections = split_sections(pattern)
    negative = value < 0
    section, signed = _choose(sections, negative, value == 0)
    plan = _plan(section)
    digits, scale = _round(value.copy_abs(), plan)
    if not digits.strip("0") and len(sections) > 2 and sections[2]:
        # Rounded to zero: the section for zero, if there is one, is used instead.
        section, signed = sections[2], False
        plan = _plan(section)
        digits, scale = "", 0
    elif not digits.strip("0"):
        if negative and len(sections) > 1 and sections[1]:
            section, signed = sections[0], True
            plan = _plan(section)
        # Only a floating-point number keeps the sign of what was rounded away.
        negative = negative and isinstance(number, float)
    text = _Writer(section, plan, digits, scale, rules).write()
    return rules.minus + text if negative and signed else text


def split_sections(pattern: str) -> list[str]:
    """The sections of a pattern: `;` parts them outside of quotes and escapes."""
    sections = [""]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            sections[-1] += pattern[at : at + 2]
            at += 2
            continue
        if char in "'\"":
            end = pattern.find(char, at + 1)
            end = len(pattern) if end < 0 else end + 1
            sections[-1] += pattern[at:end]
            at = end
            continue
        if char == ";":
            sections.append("")
        else:
            sections[-1] += char
        at += 1
    return sections[:3]


def _choose(sections: list[str], negative: bool, zero: bool) -> tuple[str, bool]:
    """The section for a number, and whether a negative number still needs its sign."""
    if zero and len(sections) > 2 and sections[2]:
        return sections[2], False
    if negative and len(sections) > 1 and sections[1]:
        return sections[1], False
    return sections[0], True


@dataclass(slots=True)
class _Plan:
    """What a section asks for: digit places before and behind the point, and how the number is scaled first."""

    places: int = 0
    point: int = -1
    first_zero: int = 2**31
    last_zero: int = 0
    percent: int = 0
    commas: int = 0
    thousands: bool = False
    exponent: bool = False

    @property
    def whole(self) -> int:
        """Digit places before the point."""
        return self.places if self.point < 0 else self.point


def exponent_at(section: str, at: int) -> int:
    """The length of an exponent specifier (`E0`, `E+00`, `e-0`) at `at`, 0 when there is none."""
    end = at + 1
    if end < len(section) and section[end] in "+-":
        end += 1
    if end >= len(section) or section[end] != "0":
        return 0
    while end < len(section) and section[end] == "0":
        end += 1
    return end - at


def _plan(section: str) -> _Plan:
    plan = _Plan()
    comma_after, comma_count = -1, 0
    at = 0
    while at < len(section):
        char = section[at]
        at += 1
        if char == "#":
            plan.places += 1
        elif char == "0":
            plan.first_zero = min(plan.first_zero, plan.places)
            plan.places += 1
            plan.last_zero = plan.places
        elif char == ".":
            if plan.point < 0:
                plan.point = plan.places
        elif char == ",":
            # Commas directly before the point scale; a comma between digits asks for groups.
            if plan.places > 0 and plan.point < 0:
                if comma_after == plan.places:
                    comma_count += 1
                    continue
                if comma_after >= 0:
                    plan.thousands = True
                comma_after, comma_count = plan.places, 1
        elif char == "%":
            plan.percent += 2
        elif char == "‰":
            plan.percent += 3
        elif char in "'\"":
            end = section.find(char, at)
            at = len(section) if end < 0 else end + 1
        elif char == "\\":
            at += 1
        elif char in "eE":
            length = exponent_at(section, at - 1)
            if length:
                plan.exponent = True
                at += length - 1
    if comma_after >= 0:
        if comma_after == plan.whole:
            plan.commas = comma_count
        else:
            plan.thousands = True
    return plan


def _round(value: Decimal, plan: _Plan) -> tuple[str, int]:
    """Significant digits of the scaled and rounded number, and how many of them stand before the point."""
    if value == 0:
        return "", 0
    value = value.scaleb(plan.percent - 3 * plan.commas, context=WIDE)
    if plan.exponent:
        rounded = Context(prec=max(plan.places, 1), rounding=ROUND_HALF_UP, Emax=999_999, Emin=-999_999).plus(value)
    else:
        rounded = value.quantize(Decimal(1).scaleb(-(plan.places - plan.whole)), context=WIDE)
    if rounded == 0:
        return "", 0
    return "".join(map(str, rounded.as_tuple().digits)).rstrip("0"), rounded.adjusted() + 1


class _Writer:
    """Writes one section: digits are consumed from the left while the section's characters are walked."""

    def __init__(self, section: str, plan: _Plan, digits: str, scale: int, rules: NumberRules) -> None:
        self.section = section
        self.plan = plan
        self.digits = digits
        self.rules = rules
        whole = plan.whole
        # Places of zeros that must be written, counted from the point: to the left positive, to the right negative.
        self.first = whole - plan.first_zero if plan.first_zero < whole else 0
        self.last = whole - plan.last_zero if plan.last_zero > whole else 0
        if plan.exponent:
            self.position, self.surplus = whole, 0
        else:
            self.position = max(scale, whole)
            self.surplus = scale - whole
        self.scale = scale
        self.groups = self._groups()
        self.used = 0
        self.pointed = False
        self.out: list[str] = []

    def _groups(self) -> set[int]:
        """Positions (digits left of the point) behind which a group ends."""
        if not self.plan.thousands or not self.rules.group or self.plan.exponent:
            return set()
        total = max(self.scale, self.first)
        found: set[int] = set()
        sizes, index, at = self.rules.groups, 0, 0
        while sizes[index]:
            at += sizes[index]
            if at >= total:
                break
            found.add(at)
            index = min(index + 1, len(sizes) - 1)
        return found

    def write(self) -> str:
        at = 0
        section = self.section
        while at < len(section):
            char = section[at]
            at += 1
            if char in "#0.":
                # More digits than places: the first place, or the point, is preceded by all that are left over.
                while self.surplus > 0:
                    self._emit(self._next() or "0")
                    self.surplus -= 1
                if char == ".":
                    self._point()
                else:
                    self._place()
            elif char == ",":
                continue
            elif char == "%":
                self.out.append(self.rules.percent)
            elif char in "'\"":
                end = section.find(char, at)
                end = len(section) if end < 0 else end
                self.out.append(section[at:end])
                at = end + 1
            elif char == "\\":
                self.out.append(section[at : at + 1])
                at += 1
            elif char in "eE" and exponent_at(section, at - 1):
                length = exponent_at(section, at - 1)
                self._exponent(section[at - 1 : at - 1 + length])
                at += length - 1
            else:
                self.out.append(char)
        return "".join(self.out)

    def _next(self) -> str:
        if self.used < len(self.digits):
            self.used += 1
            return self.digits[self.used - 1]
        return ""

    def _emit(self, digit: str) -> None:
        self.out.append(digit)
        if self.position > 1 and self.position - 1 in self.groups:
            self.out.append(self.rules.group)
        self.position -= 1

    def _place(self) -> None:
        if self.surplus < 0:
            # Fewer digits than places: a leading place is a zero or nothing.
            self.surplus += 1
            digit = "0" if self.position <= self.first else ""
        else:
            digit = self._next() or ("0" if self.position > self.last else "")
        if not digit:
            self.position -= 1
            return
        self._emit(digit)

    def _point(self) -> None:
        if self.position != 0 or self.pointed:
            return
        # The point is written when digits must follow, or may and do.
        if self.last < 0 or (self.plan.point < self.plan.places and self.used < len(self.digits)):
            self.out.append(self.rules.decimal)
            self.pointed = True

    def _exponent(self, specifier: str) -> None:
        exponent = self.scale - self.plan.whole if self.digits else 0
        sign = self.rules.minus if exponent < 0 else "+" if "+" in specifier else ""
        self.out.append(specifier[0] + sign + str(abs(exponent)).zfill(min(specifier.count("0"), 10)))
