"""What the language accepts and refuses, row by row. What is refused says where and why, and reading goes on."""

from __future__ import annotations

import pytest
from sealflow.engine.desktop.syntax.parse import parse, script
from sealflow.engine.desktop.syntax.problem import RobinError
from sealflow.engine.desktop.syntax.tree import Set

ACCEPTED = {
    # expressions and literals
    "list": "SET L TO [1,2]",
    "nested list": "SET L TO [1, [2, 'x'], $'''y''']",
    "empty list": "SET L TO []",
    "empty table": "SET D TO { }",
    "table with header": "SET D TO { ^['A', 'B'], [1, 2], [3, 4] }",
    "header only": "SET D TO {^['A']}",
    "table without header": "SET D TO {[1, 2]}",
    "table of a variable": "SET D TO {Row, [1]}",
    "empty object": "SET O TO {{ }}",
    "object": "SET O TO {'k': 1, 'n': {'a': [1]}}",
    "comparison as value": "SET B TO N > 3",
    "negative number": "SET N TO -1.5",
    "exponent": "SET N TO 1E3",
    "brackets": "SET N TO (1 + 2) * 3 mod 4",
    "logic": "SET B TO NOT a AND b OR c XOR d",
    "designer's condition": "IF (a = 1 AND IsNotEmpty(b)) = True THEN\nEND",
    "operands in brackets": "IF (a) <> (-1) THEN\nEND",
    "function": "SET B TO StartsWith(t, 'x', True)",
    "index": "SET x TO L[-1]",
    "index chain": "SET x TO T[r]['Col'].Name",
    "slice": "SET x TO L[1:2]",
    "open slices": "SET x TO L[:2]\nSET y TO L[2:]",
    "property": "SET x TO L.Count",
    "reserved property by index": "SET x TO Mail['From']",
    "enumeration": "Text.ChangeCase Text: t NewCase: Text.CaseOption.UpperCase Result=> r",
    "datetime": "SET t TO $'''%d\"2024-01-31 10:00:00\"%'''",
    "protected": "SET p TO P'AQAAANCMnd8='",
    "UI element": "WebAutomation.PressButton BrowserInstance: b Control: appmask['Page']['Go']",
    "unicode name": "SET größe TO 1",
    "underscore name": "SET _x TO 1",
    # texts
    "interpolation": "SET t TO $'''a %b + 1% c'''",
    "adjacent": "SET t TO $'''%A%%B%'''",
    "adjacent with backslash": "SET t TO $'''%A%\\\\%B%'''",
    "quotes in interpolation": "SET t TO $'''%Row['Name']%'''",
    "empty by interpolation": "SET t TO $'''%''%'''",
    "percent": "SET t TO $'''50%% off'''",
    "escaped quote": "SET t TO $'''it\\'s'''",
    "quote at the end": "SET t TO $'''a\\''''",
    "path": "SET t TO $'''C:\\temp\\new'''",
    "doubled backslash at the end": "SET t TO $'''C:\\\\'''",
    "lines": "SET t TO $'''a\nEND\n# b'''",
    "plain string": "SET t TO 'x'",
    "several lines in a plain string": "SET t TO '''a\nb'''",
    "double quotes": 'SET t TO "x"',
    # actions
    "no blank": "Text.Trim Text:$'''x''' TrimmedText=>X",
    "blank before colon": "Text.Trim Text : $'''x''' TrimmedText => X",
    "empty list argument": "Variables.CreateNewList List: []",
    "negative argument": "DateTime.Add DateTime: d TimeToAdd: -1 TimeUnit: DateTime.TimeUnit.Days ResultedDate=> r",
    "no arguments": "Clipboard.Clear",
    "lone underscore": "Clipboard.Clear _",
    "missing outputs": "Text.Trim Text: $'''x'''",
    "external": "External.RunFlow FlowId: 'g' @In1: v @'a/b': 2 @Out1=> w",
    # statements
    "wait": "WAIT 0",
    "wait for an expression": "WAIT n * 2",
    "wait for an action": "WAIT (File.WaitForFile.Created File: f) FOR 30",
    "wait for ever": "WAIT (File.WaitForFile.Created File: f)",
    "action tested": "IF (File.IfFile.Exists File: p) THEN\nEND",
    "action tested and handled": "IF (File.IfFile.Exists File: p) THEN\nON ERROR\n\nEND\nSET a TO 1\nEND",
    "while an action": "LOOP WHILE (File.IfFile.Exists File: p)\nEND",
    "while": "LOOP WHILE (n) < (10)\nEND",
    "count": "LOOP i FROM 10 TO 1 STEP -1\nEND",
    "count without variable": "LOOP FROM 1 TO 3\nEND",
    "for each of a literal": "LOOP FOREACH x IN [1, 2]\nEND",
    "switch": "SWITCH x\nCASE = $'''a'''\nCASE > 5\nDEFAULT\nEND",
    "labels": "LABEL Top\nGOTO Top\nLABEL 'Exit'\nGOTO 'Exit'",
    "exit": "EXIT Code: 1 ErrorMessage: $'''x'''",
    "exit without code": "EXIT",
    "last error": "ERROR => e Reset: True",
    "region": "**REGION Setup\n**ENDREGION",
    "comments": "# a\nSET x TO 1 # b\n/# c\nd #/\nSET y TO 2 /# e #/",
    "disabled": "DISABLE SET x TO 1\nDISABLE IF x = 1 THEN\nDISABLE END",
    "notes": "@@copilotGeneratedAction: 'False'\nText.Trim Text: t",
    "block": "BLOCK\nON BLOCK ERROR all\nSET a TO 1\nEND\nSET b TO 2\nEND",
    "block without all": "BLOCK Named\nON BLOCK ERROR\nEND\nEND",
    "block with sections": "BLOCK\nON BLOCK ERROR Mine\nREPEAT BLOCK\nON BLOCK ERROR all CaptureLogicErrors: True\n"
    "NEXT ACTION\nEND\nSET b TO 2\nEND",
    "block for errors of one's own": "BLOCK 'Get mails'\nON BLOCK ERROR 'No mail' IsUserDefinedErrorCode: True\n"
    "GOTO 'End'\nEND\nSET b TO 2\nEND\nLABEL 'End'",
    "block without handlers": "BLOCK\nSET b TO 2\nEND",
    "handler": "File.Delete Files: f\nON ERROR REPEAT 3 TIMES WAIT 5\nON ERROR FileNotFoundError\nSET n TO 0\n"
    "ON ERROR\nGOTO L\nEND\nLABEL L",
    "handler of a call": "CALL s\nON ERROR\nTHROW ERROR\nEND",
    "retry with an END": "IF a THEN\nFile.Delete Files: f\nON ERROR REPEAT 1 TIMES WAIT 2\nEND\nEND",
    "retry without an END": "IF a THEN\nFile.Delete Files: f\nON ERROR REPEAT 1 TIMES WAIT 2\nSET x TO 1\nEND",
    "retry at the end without an END": "IF a THEN\nFile.Delete Files: f\nON ERROR REPEAT 1 TIMES WAIT 2\nEND",
    "lower case": "if x = true then\nset y to 1\nelse if y = 2 then\nend\nloop foreach i in l\nnext loop\nend",
    "lone CR": "SET x TO 1\rSET y TO 2\r",
    "CRLF and tabs": "\tSET x TO 1  \r\n\r\n\tSET y TO 2",
    "byte order mark": "\ufeffSET x TO 1",
    "subflow": "CALL s\nFUNCTION s GLOBAL\nEXIT FUNCTION\nEND FUNCTION",
    "declarations": "IMPORT 'controlRepo.appmask' AS appmask\n@SENSITIVE: [p]\n"
    "@INPUT p : { 'Description': '''a\nb''', 'FriendlyName': 'Pass', 'Type': 'String', 'IsOptional': True }\n"
    "@OUTPUT r : { 'FriendlyName': 'r', 'Type': 'Numeric' }\nSET r TO 1",
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(text: str) -> None:
    assert parse(text).problems == ()


REFUSED = {
    # text, code, place
    "percent around a variable": ("SET M TO %N + 1%", "PercentOutsideText", "1:10"),
    "percent in a condition": ("IF %N% = 5 THEN\nEND", "PercentOutsideText", "1:4"),
    "percent in an argument": ("Text.Trim Text: %Msg%", "PercentOutsideText", "1:17"),
    "percent in a wait": ("WAIT %N%", "PercentOutsideText", "1:6"),
    "bare quote": ("SET t TO $'''it's'''", "BareQuote", "1:16"),
    "bare quote in a later line": ("SET t TO $'''a\nit's'''", "BareQuote", "2:3"),
    "lone percent": ("SET t TO $'''50% off'''", "LonePercent", "1:16"),
    "two lone percents": ("SET t TO $'''50% of 20% x'''", "InvalidSyntax", "1:21"),
    "backslash before the end": ("SET t TO $'''C:\\'''", "BackslashBeforeEnd", "1:16"),
    "backslash before percent": ("SET t TO $'''C:\\%Name%'''", "LonePercent", "1:22"),
    "backslash in an expression": ("SET t TO $'''%r[\\'a\\']%'''", "UnexpectedCharacter", "1:17"),
    "nothing in an expression": ("SET t TO $'''a % % b'''", "InvalidSyntax", "1:10"),
    "no end of a text": ("SET t TO $'''abc", "UnclosedText", "1:10"),
    "no end of a string": ("SET t TO 'abc", "UnclosedText", "1:10"),
    "no end of a comment": ("/# abc", "UnclosedComment", "1:1"),
    "two statements": ("SET a TO 1 SET b TO 2", "SeveralStatements", "1:12"),
    "two actions": ("Clipboard.Clear Clipboard.Clear", "SeveralStatements", "1:17"),
    "digit first": ("SET 1abc TO 1", "InvalidName", "1:5"),
    "reserved variable": ("SET Error TO 1", "ReservedWord", "1:5"),
    "reserved property": ("SET x TO Mail.From", "ReservedWord", "1:15"),
    "reserved label": ("LABEL Exit", "ReservedWord", "1:7"),
    "huge number": ("SET x TO 1E40", "NumberOutOfRange", "1:10"),
    "case with a function": ("SWITCH x\nCASE Contains 'a'\nEND", "InvalidCase", "2:6"),
    "case without comparison": ("SWITCH x\nCASE 5\nEND", "InvalidCase", "2:6"),
    "action in ELSE IF": ("IF a THEN\nELSE IF (File.IfFile.Exists File: p) THEN\nEND", "ActionInElseIf", "2:9"),
    "plain region": ("REGION x", "UnknownStatement", "1:1"),
    "goto in the header": ("a.b\nON ERROR GOTO L\nEND", "InvalidSyntax", "2:10"),
    "IF in a handler": ("a.b\nON ERROR\nIF a THEN\nEND\nEND", "NotAllowedInHandler", "3:1"),
    "action in a handler": ("a.b\nON ERROR\nClipboard.Clear\nEND", "NotAllowedInHandler", "3:1"),
    "NEXT LOOP in a handler": ("a.b\nON ERROR\nNEXT LOOP\nEND", "NotAllowedInHandler", "3:1"),
    "repeat in a block's header": ("BLOCK\nON BLOCK ERROR REPEAT 2 TIMES WAIT 1\nEND\nEND", "RepeatOnBlock", "2:16"),
    "action repeated in a block": ("BLOCK\nON BLOCK ERROR\nREPEAT ACTION\nEND\nEND", "RepeatOnBlock", "3:8"),
    "block repeated for an action": ("a.b\nON ERROR\nREPEAT BLOCK\nEND", "Misplaced", "3:8"),
    "handler of a SET": ("SET a TO 1\nON ERROR\nEND", "Misplaced", "2:1"),
    "throw outside": ("THROW ERROR", "Misplaced", "1:1"),
    "next action outside": ("NEXT ACTION", "Misplaced", "1:1"),
    "else outside": ("ELSE", "Misplaced", "1:1"),
    "two ELSE": ("IF a THEN\nELSE\nELSE\nEND", "Misplaced", "3:1"),
    "statement before CASE": ("SWITCH x\nSET a TO 1\nCASE = 1\nEND", "Misplaced", "2:1"),
    "stray END": ("SET a TO 1\nEND", "UnexpectedEnd", "2:1"),
    "END FUNCTION in Main": ("END FUNCTION", "UnexpectedEnd", "1:1"),
    "IF without END": ("IF a THEN\nSET b TO 1", "MissingEnd", "1:1"),
    "LOOP without END in a subflow": ("FUNCTION s\nLOOP FROM 1 TO 2\nEND FUNCTION", "MissingEnd", "2:1"),
    "handler without END": ("a.b\nON ERROR\nSET b TO 1", "MissingEnd", "2:1"),
    "no THEN": ("IF a = 1\nEND", "InvalidSyntax", "1:8"),
    "no TO": ("SET a = 1", "InvalidSyntax", "1:7"),
    "no SET": ("a = 1", "UnknownStatement", "1:1"),
    "no statement": ("hello world", "UnknownStatement", "1:1"),
    "no value": ("SET a TO", "InvalidSyntax", "1:7"),
    "operator without operand": ("SET a TO 1 +", "InvalidSyntax", "1:12"),
    "open bracket": ("SET a TO (1 + 2", "InvalidSyntax", "1:15"),
    "open list": ("SET a TO [1, 2", "InvalidSyntax", "1:14"),
    "unknown function": ("SET a TO Length(x)", "UnknownFunction", "1:10"),
    "too few arguments": ("SET a TO Contains(x)", "WrongArgumentCount", "1:10"),
    "duplicate argument": ("Text.Trim Text: a text: b", "DuplicateArgument", "1:19"),
    "output to a property": ("Text.Trim Text: a TrimmedText=> o.x", "InvalidSyntax", "1:34"),
    "argument without a name": ("Text.Trim a", "InvalidSyntax", "1:11"),
    "to be filled in": ("Text.Trim Text: ``", "NotFilledIn", "1:17"),
    "semicolon": ("SET a TO 1;", "UnexpectedCharacter", "1:11"),
    "unknown declaration": ("@CONFIG x : {}", "InvalidDeclaration", "1:2"),
    "unknown type": ("@INPUT x : {'Type': 'Date'}", "InvalidDeclaration", "1:21"),
    "input twice": ("@INPUT x : {}\n@INPUT X : {}", "DuplicateDeclaration", "2:1"),
    "subflow twice": ("FUNCTION s\nEND FUNCTION\nFUNCTION S\nEND FUNCTION", "DuplicateSubflow", "3:1"),
    "IMPORT in a subflow": ("SET a TO 1\nIF a THEN\nIMPORT x\nEND", "InvalidSyntax", "3:8"),
}


@pytest.mark.parametrize(("text", "code", "at"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, code: str, at: str) -> None:
    reading = parse(text + "\nSET behind TO 1")
    assert [(problem.code, problem.at) for problem in reading.problems if problem.severity == "error"] == [(code, at)]
    with pytest.raises(RobinError) as raised:
        script(text)
    assert (raised.value.code, raised.value.at) == (code, at)


@pytest.mark.parametrize(
    "text", [text for text, code, _ in REFUSED.values() if code not in ("UnclosedComment", "MissingEnd")]
)
def test_reading_goes_on_behind_a_refused_row(text: str) -> None:
    reading = parse(text + "\nSET behind TO 1")
    last = [*reading.script.main.body][-1]
    assert isinstance(last, Set)


def test_a_hint_says_what_to_write() -> None:
    (problem,) = parse("SET M TO %N%").problems
    assert problem.hint is not None
    assert "SET x TO y + 1" in problem.hint


def test_every_bad_row_is_named() -> None:
    reading = parse("SET a TO %b%\nSET b TO 1\nIF %a% = 1 THEN\n  SET c TO\nEND\nfoo")
    assert [(each.at, each.code) for each in reading.problems] == [
        ("1:10", "PercentOutsideText"),
        ("3:4", "PercentOutsideText"),
        ("4:9", "InvalidSyntax"),
        ("6:1", "UnknownStatement"),
    ]


def test_a_percent_behind_a_backslash_is_a_warning() -> None:
    reading = parse("SET t TO $'''100\\% sure'''")
    assert [(each.code, each.severity, each.at) for each in reading.problems] == [("DroppedPercent", "warning", "1:17")]
    assert reading.ok


def test_a_text_whose_end_is_missing_does_not_swallow_the_rest() -> None:
    reading = parse("SET a TO $'''x\nSET b TO $'''y'''\nSET c TO $'''z'''")
    assert [(each.code, each.at) for each in reading.problems] == [("UnclosedText", "1:10")]
    assert len(reading.script.main.body) == 3


def test_what_cannot_be_pasted() -> None:
    text = "@INPUT x : {'Type': 'String'}\nFUNCTION s\nEND FUNCTION"
    assert parse(text).problems == ()
    assert [(each.code, each.at) for each in parse(text, kind="clipboard").problems] == [
        ("NotInClipboard", "1:1"),
        ("NotInClipboard", "2:1"),
    ]
