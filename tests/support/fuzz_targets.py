"""What the fuzzer feeds: each target makes an input from a seed and gives it to the code that reads such input.

`run` returns a short word for what happened ("ok", or the code of the error that refused the input). Whatever else it
raises is a finding. Targets that need a store are in `fuzz_stored`.
"""

from __future__ import annotations

import ast
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

from fuzz_mutation import NASTY_TEXTS, changed_bytes, changed_json, changed_text, leaf, parts_of, texts_of
from kernel_driver import Driver, failing, ok
from packages import flow_package, project, solution
from robin_case import robin_cases
from robin_run import ScriptRun
from sealflow.connectors.api_properties import read_api_properties
from sealflow.connectors.isolated.fault import Fault
from sealflow.engine import kernel
from sealflow.engine.cloud import check, read, read_object, report
from sealflow.engine.desktop.checks import check as check_script
from sealflow.engine.desktop.syntax.parse import parse as parse_script
from sealflow.engine.errors import SealflowError
from sealflow.engine.expressions import FUNCTIONS, ContextScope, compile_text
from sealflow.engine.importers.packages import open_package
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.status import CANCELLED
from sealflow.engine.kernel.desktop.build import build_script
from sealflow.engine.runtime.flows.packages import package_of
from sealflow.storage import StorageError

ROOT: Final = Path(__file__).resolve().parents[2]
CORPUS: Final = ROOT.parent / "shared" / "corpus"
REFUSALS: Final = (SealflowError, StorageError, Fault)
"""How input is refused: with a code."""


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of input. `share` is its part of a campaign's inputs, `seconds` the processor time that one may take."""

    name: str
    share: float
    make: Callable[[Random], Any]
    run: Callable[[Any], str]
    seconds: float = 1.0


# --- seeds


def _strings(pattern: str, wanted: Callable[[str], bool]) -> list[str]:
    """String constants of the tests."""
    found: dict[str, None] = {}
    for path in sorted(ROOT.glob(pattern)):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and wanted(node.value):
                found[node.value[:2000]] = None
    return list(found)


def _json_files(*folders: Path) -> list[Any]:
    found = []
    for folder in folders:
        for path in sorted(folder.glob("**/*.json")):
            if path.stat().st_size < 60_000:
                try:
                    found.append(json.loads(path.read_bytes().decode("utf-8-sig")))
                except ValueError:
                    continue
    return found


# --- expressions


@cache
def _expressions() -> list[str]:
    found = _strings("tests/unit/test_expressions_*.py", lambda text: "(" in text or text.startswith("@"))
    for document in _definitions():
        found += [text for text in texts_of(document) if "@" in text]
    return list(dict.fromkeys(found))


_NAMES: Final = sorted(FUNCTIONS)
_CALLS: Final = (
    "variables('a')", "parameters('p')", "outputs('X')", "body('X')", "item()", "items('L')", "triggerBody()",
    "utcNow()",    "actions('X')", "result('S')", "iterationIndexes('L')", "workflow()", "trigger()?['outputs']",
)  # fmt: skip
_CONTEXT: Final = {
    "variables": {"a": [1, "x", {"b": None}], "s": "text", "n": 5, "o": {"k": [1.5, True]}},
    "parameters": {"p": "2026-01-31T00:00:00Z"},
    "actions": {"X": {"status": "Succeeded", "inputs": 1, "outputs": {"body": {"v": [1, 2]}, "headers": {}}}},
    "trigger": {"outputs": {"body": {"x": "<a>1</a>"}}},
    "item": 3,
    "items": {"L": {"id": 1}},
    "iterationIndexes": {"L": 2},
    "results": {"S": []},
    "workflow": {"name": "f"},
    "now": "2026-01-02T03:04:05.0000000Z",
}  # fmt: skip


def _grown(rng: Random, depth: int) -> str:
    """An expression from the grammar."""
    how = rng.randrange(10)
    if depth <= 0 or how < 2:
        plain = leaf(rng)
        if isinstance(plain, str):
            return "'" + plain[:60].replace("'", "''") + "'"
        return json.dumps(plain) if not isinstance(plain, list | dict) else rng.choice(_CALLS)
    if how < 4:
        return rng.choice(_CALLS) + rng.choice(("", "", "?['v']", "[0]", "['body']", ".x", f"?[{_grown(rng, 0)}]"))
    name = rng.choice(_NAMES)
    function = FUNCTIONS[name]
    count = rng.randint(function.minimum, min(function.maximum or 4, function.minimum + 2))
    if rng.random() < 0.05:
        count = rng.randrange(5)
    return f"{name}({', '.join(_grown(rng, depth - 1) for _ in range(max(count, 0)))})"


def _make_expression(rng: Random) -> str:
    how = rng.randrange(4)
    if how == 0:
        return "@" + _grown(rng, rng.choice((1, 2, 2, 3)))
    if how == 1:
        return f"a @{{{_grown(rng, 2)}}} b"
    seeds = _expressions()
    return changed_text(rng.choice(seeds), rng, seeds)


def _run_expression(text: str) -> str:
    compile_text(text, ContextScope()).evaluate(_CONTEXT)
    return "ok"


# --- definitions


@cache
def _definitions() -> list[Any]:
    found = [{"definition": flow} for flow in _written_flows()]
    found += _json_files(ROOT / "examples" / "cloud", CORPUS / "cloud")
    return found


def _written_flows() -> Iterable[Any]:
    """The flows that a test changes at random, with an action of every kind."""
    tree = ast.parse((ROOT / "tests" / "unit" / "test_cloud_robustness.py").read_text("utf-8"))
    for node in tree.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
            continue
        if node.target.id in ("CONTROL", "DATA", "OUTSIDE"):
            yield eval(compile(ast.Expression(node.value), "flows", "eval"), {"after": _after})


def _after(*names: str, on: str = "Succeeded") -> dict[str, Any]:
    return {"runAfter": {name: [on] for name in names}}


@cache
def _pool() -> tuple[list[Any], list[str]]:
    """Parts and texts of definitions, to be put elsewhere."""
    parts = [part for document in _definitions() for part in parts_of(document, 120) if len(str(part)) < 3000]
    texts = [text for document in _definitions() for text in texts_of(document, 100)]
    return parts, list(dict.fromkeys([*texts, *NASTY_TEXTS]))


def _make_definition(rng: Random) -> Any:
    seeds = _definitions()
    # The small ones of every kind of action first: they cost a fraction of a real one.
    value = seeds[rng.randrange(3)] if rng.random() < 0.85 else rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        value = changed_json(value, rng, *_pool())
    return value


def _run_definition(document: Any) -> str:
    source = read_object(document)
    problems = check(source)
    for problem in problems:
        json.dumps(problem.to_json())
    if any(problem.severity == "error" for problem in problems):
        return "problems"
    return _end_of(source.definition)


_STEPS: Final = 60
_REST: Final = frozenset({"$schema", "contentVersion", "description", "outputs", "staticResults", "metadata"})
"""What the driver of the kernel takes of a definition beside its actions, triggers and parameters."""


def _end_of(flow: Mapping[str, Any]) -> str:
    """Run a definition with invented answers; a run that goes on is stopped."""
    triggers = flow.get("triggers") or {}
    rest = {name: value for name, value in flow.items() if name in _REST}
    driver = Driver(
        flow.get("actions") or {},
        trigger=next(iter(triggers.values()), None),
        declared=flow.get("parameters"),
        answer=lambda command, number: failing(404) if number % 5 == 4 else ok(),
        check=False,
        **rest,
    )
    fired = kernel.fire(driver.plan, {"value": [{"name": "a"}]}, at=driver.now, pins=driver.pins)
    if not fired:
        return "not fired"
    driver.feed(event.start(driver.now, fired[0], driver.pins))
    for _ in range(_STEPS):
        if not driver.step():
            break
    if driver.state.end is None:
        driver.feed(event.stop(driver.now, CANCELLED, "Cancelled", "It has gone on for long enough."))
    assert driver.state.end is not None, "a run that was stopped has not ended"
    return "ran"


def _make_json(rng: Random) -> bytes:
    document = json.dumps(_definitions()[rng.randrange(3)], ensure_ascii=rng.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    )
    return changed_bytes(
        document, rng, (b"//", b"/*", b"*/", b"{}", b"[", b'"\\u0000"', b"1e999", b"NaN", b"\xef\xbb\xbf")
    )


def _run_json(data: bytes) -> str:
    return "ok" if report(data, "a.json")["ok"] else "problems"


# --- desktop scripts


@cache
def _scripts() -> list[str]:
    found = [case.script for case in robin_cases()]
    found += [path.read_text("utf-8") for path in sorted((ROOT / "examples" / "desktop").glob("*.robin"))]
    found += [path.read_text("utf-8", "replace") for path in sorted((CORPUS / "desktop").glob("*.robin"))]
    return [text for text in found if len(text) < 20_000]


@cache
def _lines() -> list[str]:
    return list(dict.fromkeys(line for text in _scripts() for line in text.splitlines(keepends=True)))


def _make_script(rng: Random) -> str:
    lines = rng.choice(_scripts()).splitlines(keepends=True)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(lines) + 1)
        how = rng.randrange(5)
        if how == 0 and lines:
            del lines[at : at + rng.choice((1, 1, 3))]
        elif how == 1:
            lines.insert(at, rng.choice(_lines()))
        elif lines:
            at = min(at, len(lines) - 1)
            lines[at] = changed_text(lines[at], rng, _lines())
    return "".join(lines)


def _run_script(text: str) -> str:
    reading = parse_script(text, kind="solution")
    problems = check_script.check(reading)
    if any(problem.severity == "error" for problem in problems) or not reading.ok:
        return "problems"
    run = ScriptRun(build_script(reading.script), room=10**6)
    for _ in range(_STEPS):
        if run.state.end is not None:
            break
        if run.commands:
            commands, run.commands = run.commands, []
            run.commands = commands[:1]
            if not hasattr(commands[0], "operation"):
                return "waits"
            run.answer({})
        elif not _turned(run):
            return "waits"
    return "ran"


def _turned(run: ScriptRun) -> bool:
    from sealflow.engine.kernel.desktop import decide as script

    if script.unfinished(run.state):
        run.feed(event.resume())
    elif script.needs_tick(run.state):
        run.feed(event.tick(run.state.now))
    else:
        return False
    return True


# --- packages


@cache
def _packages() -> list[dict[str, str]]:
    return [solution(), flow_package(), project()]


def _make_package(rng: Random) -> bytes:
    files: dict[str, bytes] = {}
    for path, content in rng.choice(_packages()).items():
        how = rng.randrange(12)
        if how == 0:
            path = changed_text(path, rng, NASTY_TEXTS)
        elif how == 1 and path.endswith(".json"):
            content = json.dumps(changed_json(json.loads(content), rng, *_pool()))
        elif how == 2:
            content = changed_text(content, rng, [content])
        elif how == 3 and rng.random() < 0.3:
            continue
        files[path[:2000]] = content.encode("utf-8", "surrogatepass")
    data = _zipped(files)
    return changed_bytes(data, rng, [data]) if rng.random() < 0.3 else data


def _zipped(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path, content in files.items():
            name = path.encode("utf-8", "replace").decode()
            archive.writestr(zipfile.ZipInfo(name or "x"), content)
    return target.getvalue()


def _run_package(data: bytes) -> str:
    package = open_package(package_of(data, "p.zip"), name="p")
    for source in package.flows:
        check(source)
    return "problems" if package.problems else "ok"


@cache
def _templates() -> tuple[list[Any], list[str]]:
    texts = _strings("tests/unit/test_cloud_package_arm.py", lambda text: text.startswith("["))
    found = [each for each in _json_files(CORPUS / "cloud") if isinstance(each, dict) and "resources" in each][:40]
    workflow = {
        "type": "Microsoft.Logic/workflows",
        "apiVersion": "2019-05-01",
        "name": "[concat(parameters('n'), '-x')]",
        "location": "[resourceGroup().location]",
        "properties": {"definition": next(iter(_written_flows())), "parameters": {"p": {"value": "[variables('v')]"}}},
        "copy": {"name": "c", "count": 2},
        "condition": "[equals(parameters('n'), 'f')]",
    }
    own = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"n": {"type": "string", "defaultValue": "f"}, "k": {"type": "secureString", "defaultValue": ""}},
        "variables": {"v": "[add(1, 2)]", "copy": [{"name": "w", "count": 3, "input": "[copyIndex('w')]"}]},
        "functions": [{"namespace": "u", "members": {"f": {"parameters": [], "output": {"type": "int", "value": 1}}}}],
        "resources": [workflow, {"type": "Microsoft.Web/connections", "name": "c", "properties": {"api": {"id": "x"}}}],
        "outputs": {"o": {"type": "string", "value": "[reference('x').y]"}},
    }
    return [own, own, own, *found], texts


def _make_template(rng: Random) -> Any:
    seeds, texts = _templates()
    value = rng.choice(seeds)
    for _ in range(rng.choice((1, 2, 3))):
        value = changed_json(value, rng, _pool()[0], texts)
    return value


def _run_template(document: Any) -> str:
    data = json.dumps(document).encode()
    package = open_package({"azuredeploy.json": data}, name="t")
    for source in package.flows:
        check(source)
    read(data, name="t")
    return "problems" if package.problems else "ok"


# --- connector definitions


@cache
def _connectors() -> tuple[list[Any], list[Any]]:
    keyed = {
        "type": "securestring",
        "uiDefinition": {"displayName": "Key", "constraints": {"required": "true", "allowedValues": [{"value": "a"}]}},
    }
    oauth = {"type": "oauthSetting", "oAuthSettings": {"identityProvider": "aad", "scopes": ["a"]}}
    sets = {"values": [{"name": "one", "parameters": {"k": keyed}}, {"name": "two", "parameters": {"t": oauth}}]}
    own = [
        {"properties": {"connectionParameters": {"api_key": keyed, "token": oauth}}},
        {"properties": {"connectionParameterSets": sets}},
    ]
    found = own + [each for each in _json_files(CORPUS / "connectors") if isinstance(each, dict)]
    return found, [part for each in found for part in parts_of(each, 60)]


def _make_connector(rng: Random) -> Any:
    seeds, parts = _connectors()
    value = rng.choice(seeds)
    for _ in range(rng.choice((1, 2, 3))):
        value = changed_json(value, rng, parts, NASTY_TEXTS)
    return value


def _run_connector(document: Any) -> str:
    if not isinstance(document, dict):
        return "no object"
    properties = read_api_properties(document)
    for each in properties.sets:
        try:
            properties.choose(each.name)
            each.completed({parameter.name: "x" for parameter in each.parameters})
        except SealflowError:
            continue
    return "ok"


def pure_targets() -> Sequence[Target]:
    """The targets that need no store."""
    return (
        Target("expressions", 0.42, _make_expression, _run_expression),
        Target("definitions", 0.03, _make_definition, _run_definition),
        Target("json", 0.03, _make_json, _run_json),
        Target("robin", 0.03, _make_script, _run_script),
        Target("archives", 0.015, _make_package, _run_package),
        Target("templates", 0.008, _make_template, _run_template),
        Target("openapi", 0.12, _make_connector, _run_connector),
    )
