"""Generate docs/why/attacks.md, the list of attacks, from the tests that perform them.

    python tests/support/attacks_page.py        write the page; exit with 1 if an attack has no docstring

Each test function of `tests/security`, and of the files that `ELSEWHERE` lists, is one attack. Its docstring is the
entry.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "why" / "attacks.md"
WIDTH: Final = 100
_WHOLE_WORDS: Final[dict[str, Any]] = {"break_long_words": False, "break_on_hyphens": False}
COMMAND: Final = "python tests/support/attacks_page.py"

ATTACKERS: Final = {
    "The database writer": "Can change, delete, repeat and put back rows of the store. Has no key.",
    "The holder of an earlier key": "Has the service keystore and a copy from before a change of keys, but not the "
    "current key.",
    "The reader after a revocation": "Keeps objects, connections and processes from before the revocation.",
    "The maker": "Writes definitions, scripts, packages and inputs. Has no access to the machine that runs them.",
    "The snooper": "Reads every file, log, process list and memory dump. Has no key.",
}
"""Each attacker, with its abilities."""

FILES: Final = {
    "tests/security/test_database_writer.py": "The database writer",
    "tests/security/test_random_attacker.py": "The database writer",
    "tests/security/test_inbox_replay.py": "The database writer",
    "tests/security/test_interrupted_move.py": "The database writer",
    "tests/security/test_bundles.py": "The database writer",
    "tests/security/test_storage_guards.py": "The database writer",
    "tests/security/test_earlier_key_holder.py": "The holder of an earlier key",
    "tests/security/test_revoked_reader.py": "The reader after a revocation",
    "tests/security/test_busy_loop.py": "The reader after a revocation",
    "tests/security/test_snooper.py": "The snooper",
    "tests/security/test_core_files.py": "The snooper",
    "tests/security/test_keystore_file.py": "The database writer",
    "tests/security/test_repair.py": "The database writer",
}
"""The attacker of each file. All other files of `tests/security` belong to the maker."""

ELSEWHERE: Final = {
    "tests/acceptance/test_tampering.py": "The database writer",
    "tests/unit/test_storage_tampering.py": "The database writer",
    "tests/acceptance/test_bitflips.py": "The database writer",
    "tests/unit/test_storage_policy_floor.py": "The database writer",
    "tests/acceptance/test_revocation.py": "The reader after a revocation",
    "tests/conformance/test_key_revocation.py": "The reader after a revocation",
    "tests/acceptance/test_bad_input.py": "The maker",
    "tests/unit/test_cloud_robustness.py": "The maker",
    "tests/unit/test_cloud_package_archive.py": "The maker",
    "tests/unit/test_desktop_sandbox.py": "The maker",
    "tests/acceptance/test_desktop_browser_egress.py": "The maker",
    "tests/acceptance/test_canary.py": "The snooper",
    "tests/acceptance/test_desktop_canary.py": "The snooper",
    "tests/unit/test_storage_canary.py": "The snooper",
}
"""Files with attacks outside `tests/security`."""

_HEAD: Final = f"""# Attacks

This page lists every attack that the test suite performs, by attacker. Each entry is one test: what
the attacker does, and what must happen. The [threat model](threat-model.md) lists what no software
can prevent.

The page is generated from the tests with `{COMMAND}`.
"""


@dataclass(frozen=True, slots=True)
class Attack:
    """A test that attacks. `told` is its docstring, or empty."""

    name: str
    told: str
    cases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file of attacks."""

    path: str
    attacker: str
    told: str
    attacks: tuple[Attack, ...]


def files() -> list[File]:
    """Return all files that attack, those of `tests/security` first."""
    own = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests" / "security").glob("test_*.py"))]
    known = [(path, FILES.get(path, "The maker")) for path in own]
    known += [(path, attacker) for path, attacker in ELSEWHERE.items() if (ROOT / path).exists()]
    return [_file(path, attacker) for path, attacker in known]


def _file(path: str, attacker: str) -> File:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    lists = dict(_lists(tree))
    attacks = tuple(
        Attack(node.name, _paragraph(ast.get_docstring(node)), tuple(_cases(node, lists)))
        for node in _functions(tree)
        if node.name.startswith("test_")
    )
    return File(path, attacker, _paragraph(ast.get_docstring(tree)), attacks)


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node)


def _paragraph(docstring: str | None) -> str:
    first = inspect.cleandoc(docstring or "").split("\n\n")[0]
    return " ".join(first.split())


def _lists(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names of tables of cases, and the keys of these."""
    for node in tree.body:
        target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(target, ast.Name) and isinstance(value, ast.Dict):
            keys = [key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
            if len(keys) == len(value.keys):
                yield target.id, tuple(keys)


def _cases(node: ast.FunctionDef | ast.AsyncFunctionDef, lists: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("mark.parametrize"):
            named = {each.id for each in ast.walk(decorator) if isinstance(each, ast.Name)}
            for name in sorted(named & lists.keys()):
                yield from lists[name]


def undescribed(found: list[File]) -> list[str]:
    """Return the attacks without a docstring."""
    return [f"{file.path}::{attack.name}" for file in found for attack in file.attacks if not attack.told]


def page(found: list[File]) -> str:
    """Return the text of the page."""
    counted = {who: sum(len(file.attacks) for file in found if file.attacker == who) for who in ATTACKERS}
    text = _HEAD + "\n| attacker | tests |\n|---|---|\n"
    text += "".join(f"| {who} | {count} |\n" for who, count in counted.items())
    for who, has in ATTACKERS.items():
        text += f"\n## {who}\n\n{has}\n"
        for file in found:
            if file.attacker == who and file.attacks:
                text += f"\n### {_title(file)}\n\n{textwrap.fill(file.told, WIDTH, **_WHOLE_WORDS)}\n\n"
                text += "".join(_entry(attack) for attack in file.attacks)
    return text


def _title(file: File) -> str:
    words = Path(file.path).stem.removeprefix("test_").replace("_", " ")
    return f"{words[0].upper()}{words[1:]} (`{file.path}`)"


def _entry(attack: Attack) -> str:
    cases = f" Cases: {'; '.join(each.replace('|', '/') for each in attack.cases)}." if attack.cases else ""
    return textwrap.fill(f"- {attack.told}{cases}", WIDTH, subsequent_indent="  ", **_WHOLE_WORDS) + "\n"


def main() -> int:
    found = files()
    PAGE.write_text(page(found), "utf-8")
    missing = undescribed(found)
    print(f"{sum(len(file.attacks) for file in found)} attacks in {len(found)} files")
    if missing:
        print("without a docstring:", *missing, sep="\n  ", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
