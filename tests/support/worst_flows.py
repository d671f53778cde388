"""The flows that keep an engine busy longest in one go: named cases for tests, small, and for `./dev bench fairness`.

`scale` says how much each works on: 1.0 is what takes seconds to a minute, 0.01 suits a test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

S = ["Succeeded"]

Actions = dict[str, Any]


def _range(count: int) -> str:
    """Numbers from 0; `range` gives 100,000 at most."""
    parts = [f"range({start},{min(100_000, count - start)})" for start in range(0, count, 100_000)]
    return parts[0] if len(parts) == 1 else f"concat({','.join(parts)})"


def _many(scale: float, most: int) -> int:
    return max(int(most * scale), 100)


def _text(scale: float, megabytes: float) -> Actions:
    """A text of so many megabytes, as the outputs of `text`."""
    count = max(int(megabytes * scale * 1e6 / 55), 50)
    return {
        "text": {
            "type": "Compose",
            "inputs": f"@join({_range(min(count, 100_000))},'{'; the quick brown fox; ' * max(count // 100_000, 1)}')",
        }
    }


def _compose(expression: str, *after: str) -> Actions:
    return {"type": "Compose", "inputs": f"@{expression}", "runAfter": dict.fromkeys(after, S)}


def select(scale: float) -> Actions:
    """A Select whose elements are formatted, encoded, split and joined."""
    shape = {
        "parts": "@join(reverse(split(concat(string(item()),'-',string(mul(item(),7))),'-')),'+')",
        "text": "@toUpper(base64(string(item())))",
        "money": "@formatNumber(item(),'N2','de-DE')",
        "day": "@formatDateTime(addDays('2026-01-01',mod(item(),300)),'yyyy-MM-dd')",
        "id": "@guid()",
    }
    return {"select": {"type": "Select", "inputs": {"from": f"@{_range(_many(scale, 60_000))}", "select": shape}}}


def query(scale: float) -> Actions:
    """A Query with a long condition."""
    where = "or(" + ",".join(f"equals(formatNumber(item(),'N2'),'{n}')" for n in range(12)) + ")"
    inputs = {"from": f"@{_range(_many(scale, 100_000))}", "where": f"@{where}"}
    return {"query": {"type": "Query", "inputs": inputs}}


def table(scale: float) -> Actions:
    """An HTML table of many rows."""
    columns = [{"header": f"c{n}", "value": f"@concat('<',item(),'>{n}')"} for n in range(10)]
    inputs = {"from": f"@{_range(_many(scale, 100_000))}", "format": "HTML", "columns": columns}
    return {"table": {"type": "Table", "inputs": inputs}}


def xpath(scale: float) -> Actions:
    """XPath expressions over one XML document of megabytes."""
    rows = _range(_many(scale, 60_000))
    return {
        "document": {"type": "Compose", "inputs": f"@concat('<r><a>',join({rows},'</a><a>'),'</a></r>')"},
        "found": _compose("length(xpath(xml(outputs('document')),'//a[contains(., \"77\")]'))", "document"),
    }


def json(scale: float) -> Actions:
    """JSON of megabytes, read and written again and again."""
    rows = _range(_many(scale, 80_000))
    read = "json(concat('[{\"a\":',join(range(0,COUNT),',\"b\":[1,2,3]},{\"a\":'),'}]'))"
    read = read.replace("range(0,COUNT)", rows)
    first: Actions = {"read": _compose(read)}
    again = {
        f"again{n}": _compose(
            f"json(string(outputs('{'read' if n == 0 else f'again{n - 1}'}')))",
            *(["read"] if n == 0 else [f"again{n - 1}"]),
        )
        for n in range(4)
    }
    return first | again


def texts(scale: float) -> Actions:
    """A chain of text functions on megabytes in one expression."""
    chain = "outputs('text')"
    for number in range(12):
        chain = f"toUpper(toLower(replace({chain},'fox','f{number}x')))"
    chain = f"lastIndexOf(uriComponent({chain}),'ZZZ')"
    return _text(scale, 8) | {"chain": _compose(chain, "text")}


def arrays(scale: float) -> Actions:
    """Sorted, united and compared arrays of objects."""
    shape = {"a": "@item()", "b": "@concat('x',mod(mul(item(),7919),10007))", "c": ["@item()"]}
    body = "body('rows')"
    return {
        "rows": {"type": "Select", "inputs": {"from": f"@{_range(_many(scale, 60_000))}", "select": shape}},
        "sorted": _compose(f"length(sort({body},'b'))", "rows"),
        "united": _compose(f"length(union({body},reverse({body})))", "rows"),
        "common": _compose(f"length(intersection({body},reverse({body})))", "rows"),
        "equal": _compose(f"equals({body},json(string({body})))", "rows"),
    }


def foreach(scale: float) -> Actions:
    """A loop without calls: each iteration computes."""
    chain = "concat('')"
    for number in range(15):
        chain = f"concat({chain},formatNumber(add(item(),{number}),'N2'))"
    return {
        "loop": {
            "type": "Foreach",
            "foreach": f"@{_range(_many(scale, 30_000))}",
            "actions": {"work": {"type": "Compose", "inputs": f"@{chain}"}},
        }
    }


def until(scale: float) -> Actions:
    """A loop over a text that grows."""
    return {
        "text": {
            "type": "InitializeVariable",
            "inputs": {"variables": [{"name": "t", "type": "string", "value": "0123456789" * 100}]},
        },
        "loop": {
            "type": "Until",
            "expression": f"@greater(length(variables('t')), {_many(scale, 4_000_000)})",
            "limit": {"count": 5_000, "timeout": "PT1H"},
            "runAfter": {"text": S},
            "actions": {
                "more": {"type": "AppendToStringVariable", "inputs": {"name": "t", "value": "@{toUpper(guid())}" * 60}},
                "look": {
                    "type": "Compose",
                    "inputs": "@indexOf(toLower(variables('t')),'zzz')",
                    "runAfter": {"more": S},
                },
            },
        },
    }


def schema(scale: float) -> Actions:
    """A large body checked by a schema."""
    shape = {"a": "@item()", "b": "@concat('x',item())"}
    items = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "string", "pattern": "^(x+)+$|x"}},
    }
    return {
        "rows": {"type": "Select", "inputs": {"from": f"@{_range(_many(scale, 100_000))}", "select": shape}},
        "parsed": {
            "type": "ParseJson",
            "inputs": {"content": "@body('rows')", "schema": {"type": "array", "items": items}},
            "runAfter": {"rows": S},
        },
    }


WORST: dict[str, Callable[[float], Actions]] = {
    each.__name__: each for each in (select, query, table, xpath, json, texts, arrays, foreach, until, schema)
}


def definition(name: str, scale: float) -> dict[str, Any]:
    """The flow of one case."""
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": WORST[name](scale)}


def script(scale: float) -> str:
    """A desktop flow: a loop of arithmetic, then expressions and other actions on a text of megabytes."""
    count = _many(scale, 300_000)
    text = "the quick brown fox; " * 50
    return "\n".join(
        [
            f"SET Text TO $'''{text}'''",
            f"LOOP Doubling FROM 1 TO {max(int(12 * scale), 1)} STEP 1",
            "    SET Text TO $'''%Text%%Text%'''",
            "END",
            "SET Sum TO 0",
            f"LOOP Number FROM 1 TO {count} STEP 1",
            "    SET Sum TO Sum + Number * 2",
            "    IF Sum > 1000000 THEN",
            "        SET Sum TO 0",
            "    END",
            "END",
            "LOOP Number FROM 1 TO 5 STEP 1",
            "    Text.ParseText.RegexParse Text: Text TextToFind: $'''(q|u)+(i|c)+k''' StartingPosition: 0 "
            "IgnoreCase: True Matches=> Found",
            "    Text.Trim Text: Text TrimOption: Text.TrimOption.Both TrimmedText=> Text",
            "END",
            "",
        ]
    )
