"""What stands in front of a script: `@INPUT`, `@OUTPUT`, `@SENSITIVE`, IMPORT and what the designer notes there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from .parse_expression import Cursor
from .problem import Problems, RobinError
from .tree import Constant, Declared, Expression, ListLiteral, ObjectLiteral, Place, TableLiteral

_TYPES: Final = {name.lower(): name for name in ("String", "Numeric", "Bool", "List", "CustomObject", "Datatable")} | {
    "boolean": "Bool",
    "number": "Numeric",
    "text": "String",
}


class Declarations:
    """What was declared so far."""

    def __init__(self) -> None:
        self.inputs: list[Declared] = []
        self.outputs: list[Declared] = []
        self.sensitive: set[str] = set()
        self.headers: dict[str, str] = {}

    def row(self, cursor: Cursor, place: Place, problems: Problems) -> None:
        """A row that begins with `@`, or with IMPORT. Raises RobinError."""
        if cursor.accept_word("import"):
            self._import(cursor)
        else:
            cursor.at += 1
            if cursor.accept_word("sensitive"):
                self._sensitive(cursor)
            elif cursor.word() in ("input", "output"):
                kind = cursor.word()
                cursor.at += 1
                self._declared(cursor, place, kind, problems)
            else:
                raise cursor.fault(
                    "This declaration is not known.",
                    code="InvalidDeclaration",
                    hint="There are @INPUT, @OUTPUT and @SENSITIVE.",
                )
        cursor.finish()

    def _import(self, cursor: Cursor) -> None:
        """UI elements and images; they come with what the script came in."""
        if cursor.over or cursor.tokens[cursor.at][0] != "string":
            raise cursor.fault("The file to import is missing, in quotation marks.")
        cursor.at += 1
        cursor.expect_word("as", "IMPORT 'file' AS name")
        cursor.name("what is imported")

    def _sensitive(self, cursor: Cursor) -> None:
        cursor.expect_op(":", "@SENSITIVE: [names]")
        cursor.expect_op("[", "@SENSITIVE: [names]")
        while not cursor.accept_op("]"):
            self.sensitive.add(cursor.name_or_string("a variable").lower())
            if not cursor.accept_op(","):
                cursor.expect_op("]", "the list of names is open")
                break

    def _declared(self, cursor: Cursor, place: Place, kind: str, problems: Problems) -> None:
        name = cursor.name("a variable")
        cursor.expect_op(":", f"@{kind.upper()} name : {{...}}")
        at = cursor.place()
        given = cursor.expression()
        if isinstance(given, TableLiteral) and given.header is None and not given.rows:
            given = ObjectLiteral((), given.place)
        if not isinstance(given, ObjectLiteral):
            raise RobinError("A declaration describes the variable with an object.", at, code="InvalidDeclaration")
        fields = {key.lower(): value for key, value in given.pairs}
        spelled = _text(fields.get("type"), "String")
        known = _TYPES.get(spelled.lower())
        if known is None:
            raise RobinError(
                f"There is no type '{spelled[:60]}'.",
                fields["type"].place,
                code="InvalidDeclaration",
                hint="There are String, Numeric, Bool, List, CustomObject and Datatable.",
            )
        default = fields.get("defaultvalue")
        declared = Declared(
            name,
            _text(fields.get("friendlyname"), "") or name,
            known,
            place,
            _text(fields.get("description"), ""),
            _flag(fields.get("isoptional")),
            None if default is None else literal(default),
        )
        found = self.inputs if kind == "input" else self.outputs
        if any(other.name.lower() == name.lower() for other in found):
            problems.error("DuplicateDeclaration", place, f"'{name}' is declared twice as an {kind}.", "Remove one.")
            return
        twin = next((other for other in found if other.external.lower() == declared.external.lower()), None)
        if twin is not None:
            problems.error(
                "DuplicateDeclaration",
                place,
                f"'{name}' and '{twin.name}' have the same name towards callers, '{declared.external}'.",
                "Give one of them another FriendlyName.",
            )
            return
        found.append(declared)


def _text(value: Expression | None, otherwise: str) -> str:
    return value.value if isinstance(value, Constant) and isinstance(value.value, str) else otherwise


def _flag(value: Expression | None) -> bool:
    return isinstance(value, Constant) and value.value is True


def literal(value: Expression) -> Any:
    """A value without variables, as JSON would have it; a table is a list of objects. Raises RobinError."""
    if isinstance(value, Constant):
        found: int | Decimal | str | bool | None = value.value
        return found
    if isinstance(value, ListLiteral):
        return [literal(item) for item in value.items]
    if isinstance(value, ObjectLiteral):
        return {key: literal(member) for key, member in value.pairs}
    if isinstance(value, TableLiteral):
        rows = [row.items for row in value.rows if isinstance(row, ListLiteral)]
        if len(rows) == len(value.rows):
            width = max((len(row) for row in rows), default=0)
            header = (
                [str(literal(name)) for name in value.header]
                if value.header is not None
                else [f"Column{number}" for number in range(1, width + 1)]
            )
            return [dict(zip(header, map(literal, row), strict=False)) for row in rows]
    raise RobinError("A default value has no variables in it.", value.place, code="InvalidDeclaration")
