"""Makes docs/why/attacks.md, the list of attacks, from the tests that perform them.

    python tests/support/attacks_page.py        writes the page; exits with 1 where an attack has no docstring

In `tests/security` each test function is one attack, and its docstring is the entry. Attacks elsewhere are listed by
`ELSEWHERE`; the names of their functions are the entries.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "why" / "attacks.md"
COMMAND: Final = "python tests/support/attacks_page.py"

ATTACKERS: Final = {
    "The database writer": "Changes, deletes, repeats and puts back rows of the store, and has no key.",
    "The holder of an earlier key": "Has the service's keystore and a copy from before a change of keys, and not the "
    "key that is in use now.",
    "The reader after a revocation": "Kept objects, connections and processes from the time when the key was still "
    "granted.",
    "The maker": "Writes definitions, scripts, packages and inputs, and has no right to the machine that runs them.",
    "The snooper": "Reads every file, log, process list and memory dump that the system leaves behind, and has no key.",
}
"""Each attacker and what it has."""

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
}
"""Whose attacks a file holds. All other files of `tests/security` are the maker's."""

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
"""Files of tests beside `tests/security` that attack."""

_HEAD: Final = f"""# Attacks

Every attack that the test suite performs, by attacker. Each entry is one test: what the attacker does, and what must
happen. What no test can refuse is on the page about [what the encryption is for](threat-model.md).

This page is made from the tests by `{COMMAND}`.
"""


@dataclass(frozen=True, slots=True)
class Attack:
    """A test that attacks, and what it says of itself. `told` is empty where it has no docstring."""

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
    own = path.startswith("tests/security/")
    lists = dict(_lists(tree))
    attacks = tuple(
        Attack(node.name, _paragraph(ast.get_docstring(node)) if own else "", tuple(_cases(node, lists)))
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
    """Return the attacks of `tests/security` without a docstring."""
    return [
        f"{file.path}::{attack.name}"
        for file in found
        if file.path.startswith("tests/security/")
        for attack in file.attacks
        if not attack.told
    ]


def page(found: list[File]) -> str:
    """Return the text of the page."""
    counted = {who: sum(len(file.attacks) for file in found if file.attacker == who) for who in ATTACKERS}
    text = _HEAD + "\n| attacker | tests |\n|---|---|\n"
    text += "".join(f"| {who} | {count} |\n" for who, count in counted.items())
    for who, has in ATTACKERS.items():
        text += f"\n## {who}\n\n{has}\n"
        for file in found:
            if file.attacker == who and file.attacks:
                text += f"\n### {_title(file)}\n\n{file.told}\n\n"
                text += "".join(_entry(attack) for attack in file.attacks)
    return text


def _title(file: File) -> str:
    words = Path(file.path).stem.removeprefix("test_").replace("_", " ")
    return f"{words[0].upper()}{words[1:]} (`{file.path}`)"


def _entry(attack: Attack) -> str:
    told = attack.told
    if not told:
        words = attack.name.removeprefix("test_").replace("_", " ")
        told = f"{words[0].upper()}{words[1:]}."
    cases = f" Cases: {'; '.join(each.replace('|', '/') for each in attack.cases)}." if attack.cases else ""
    return f"- {told}{cases}\n"


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
