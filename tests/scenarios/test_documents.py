"""The documents are true: commands in `console` blocks do what they show, and lists name what is there.

A block is commands behind `$ ` with what they print (both streams). `…` stands for anything in a line, a line of it
alone for any lines. Times, durations, ids and numbers of bytes may differ, and so may the width of columns. Only the
tutorial shows what the first command says about the new keystore.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import processes
import pytest
from error_codes import error_codes
from sealflow.engine.cloud import catalog
from sealflow.engine.cloud.report.explanations import explanations
from sealflow.engine.expressions import CONTEXT_FUNCTIONS, FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
GUIDES = [ROOT / "docs" / "tutorial.md", *sorted(ROOT.glob("docs/how-to/**/*.md"))]
REFERENCES = [
    *sorted(ROOT.glob("docs/reference/*.md")),
    *sorted(ROOT.glob("docs/why/*.md")),
    *sorted(ROOT.glob("docs/performance*.md")),
    *sorted(ROOT.glob("docs/architecture/**/*.md")),
    ROOT / "docs" / "architecture.md",
    ROOT / "docs" / "dependencies.md",
]
PATIENCE = 120.0
PROBLEMS = ROOT / "docs" / "reference" / "problems.md"
ERRORS = "\n## Errors\n"
NOTICE = "A new keystore was made:"

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_MARK = "\x1e"
_VARYING = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?|\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"[\d,]+ bytes"), "N bytes"),
    # A duration under a millisecond is not shown at all.
    (re.compile(r"(,| in)? \(?\d+(\.\d+)? (ms|s|min)\b\)?( \d+ s\b)?"), ""),
    (re.compile(r"(?<=\S) +"), " "),
)


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in _FENCE.findall(path.read_text("utf-8")) if kind == language]


def commands(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Each command of the document with the lines it shows."""
    for block in blocks(path, "console"):
        command: str | None = None
        shown: list[str] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command is not None:
                    yield command, shown
                command, shown = line[2:], []
            else:
                shown.append(line)
        if command is not None:
            yield command, shown


def plain(line: str) -> str:
    for pattern, instead in _VARYING:
        line = pattern.sub(instead, line)
    return line.rstrip()


def matches(shown: list[str], printed: list[str]) -> bool:
    parts = []
    for line in map(plain, filter(str.strip, shown)):
        if line == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append("".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", line)) + r"\n")
    return re.fullmatch("".join(parts), "".join(plain(line) + "\n" for line in printed)) is not None


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Path]:
    """A folder like a clone, whose examples call a stand-in of their own."""
    spec = importlib.util.spec_from_file_location("documents_standin", ROOT / "examples" / "cloud" / "standin.py")
    assert spec is not None
    assert spec.loader is not None
    standin = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = standin
    spec.loader.exec_module(standin)
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    with standin.StandIn() as service:
        for path in (tmp_path / "examples" / "cloud").glob("*.json"):
            text = path.read_text("utf-8")
            path.write_text(text.replace(f"http://127.0.0.1:{standin.DEFAULT_PORT}", service.url), "utf-8")
        yield tmp_path


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a process listens that has imported the command line and forks itself for each command."""
    with tempfile.TemporaryDirectory() as folder:  # a socket's path has to be short
        place = str(Path(folder, "forks"))
        server = Path(processes.__file__).with_name("fork_server.py")
        with subprocess.Popen(
            [sys.executable, str(server), place], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield place
            process.stdin.close()


def session(lines: list[str], folder: Path, forks: str = "") -> list[list[str]]:
    """What each command prints, run one after the other in one shell."""
    if forks:
        client = Path(processes.__file__).with_name("fork_client.py")
        program = shlex.join([sys.executable, "-I", "-S", str(client), forks])
    else:
        program = shlex.join([sys.executable, "-c", "from sealflow.engine.hosts.cli import main; main()"])
    script = f'sealflow() {{ {program} "$@"; }}\n'
    killer = shlex.join([sys.executable, "-I", "-S", str(Path(processes.__file__).with_name("kill_at.py")), " retry "])
    for line in lines:
        # How far a command comes in so many seconds depends on the machine; the document shows it in a pause.
        line = re.sub(r"timeout -s KILL \d+ sealflow", f"{killer} {program}", line)
        script += f"{{ {line}\n}} 2>&1\nprintf '{_MARK}'\n"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("SEALFLOW_")},
            "SEALFLOW_KEYSTORE": str(folder / "keystore" / "keystore.json"),
        },
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    printed = done.stdout.split(_MARK)[:-1]
    assert len(printed) == len(lines), (printed[-1:], done.stderr)
    return [each.splitlines() for each in printed]


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if any(commands(path))], ids=lambda path: str(path.relative_to(ROOT))
)
def test_commands_print_what_the_document_shows(path: Path, workshop: Path, forks: str) -> None:
    found = list(commands(path))
    printed = session([command for command, _ in found], workshop, forks)
    for (command, shown), lines in zip(found, printed, strict=True):
        lines = [line for line in lines if line.strip() not in ("", "Killed")]
        if lines[:1] and lines[0].startswith(NOTICE) and not shown[0].startswith(NOTICE):
            lines = lines[3:]
        assert matches(shown, lines), f"$ {command}\n" + "\n".join(lines)


@pytest.mark.parametrize(
    "path",
    [path for path in GUIDES if path.parent.name in ("how-to", "extend")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_guide_starts_with_an_example(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "```" in "\n".join(text.splitlines()[:15])


@pytest.mark.parametrize("path", [*GUIDES, *REFERENCES], ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_of_a_page_wrap_at_100_characters(path: Path) -> None:
    text = path.read_text("utf-8")
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL).splitlines()
    assert [line for line in prose if len(line) > 100 and not line.startswith(("|", "<!--"))] == []


def test_the_readme_embeds_in_ten_lines(workshop: Path) -> None:
    [program] = blocks(ROOT / "README.md", "python")
    body = [line for line in program.splitlines() if line.strip()]
    assert len(body) <= 10
    [printed] = session([f"SEALFLOW_HOME=home {shlex.join([sys.executable, '-c', program])}"], workshop)
    assert "Hello, Ada!" in printed[-1]


def test_the_guide_to_embedding_starts_with_a_program(workshop: Path) -> None:
    program = blocks(ROOT / "docs" / "how-to" / "embed.md", "python")[0]
    [printed] = session([f"SEALFLOW_HOME=home {shlex.join([sys.executable, '-c', program])}"], workshop)
    assert printed[-1] == "Succeeded"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(path: Path) -> None:
    targets = [target for target in _LINK.findall(path.read_text("utf-8")) if "://" not in target]
    assert [target for target in targets if not (path.parent / target).exists()] == []


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them: the second of the same words ends with -1."""
    found: Counter[str] = Counter()
    named = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        named.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
        found[anchor] += 1
    return named


def dead_anchors(path: Path) -> list[str]:
    """The links of a document to a heading that is not there."""
    return [
        f"{target}#{anchor}"
        for target, anchor in _ANCHOR.findall(path.read_text("utf-8"))
        if "://" not in target
        and (page := path.parent / target if target else path).suffix == ".md"
        and anchor not in anchors(page.read_text("utf-8"))
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_headings(path: Path) -> None:
    assert dead_anchors(path) == []


def test_a_link_to_a_heading_that_is_not_there_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A run's `history`, twice\n## Same\n## Same\n```sh\n# not one\n```\n", "utf-8")
    assert anchors(page.read_text("utf-8")) == {"a-runs-history-twice", "same", "same-1"}
    (tmp_path / "other.md").write_text("[a](page.md#same) [b](page.md#status) [c](#here)\n# There\n", "utf-8")
    assert dead_anchors(tmp_path / "other.md") == ["page.md#status", "#here"]


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = [*project["dependencies"], *(each for group in project["optional-dependencies"].values() for each in group)]
    names = {re.split(r"[<>=\[ ]", each)[0] for each in named} - {"sealflow"}
    text = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    assert {name for name in names if not re.search(rf"^\| [^|]*\b{name}\b", text, re.MULTILINE)} == set()


def rows(section: str) -> Iterator[tuple[str, str, str]]:
    """Each type of a table of the reference of actions, with what becomes of it and the notes."""
    text = (ROOT / "docs" / "reference" / "actions.md").read_text("utf-8")
    table = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    for types, here, notes in re.findall(r"^\| ([A-Z][\w, ]*) \| \*([\w ]+)\* \| ?(.*) ?\|$", table, re.MULTILINE):
        for name in types.split(", "):
            yield name, here, notes


def test_the_reference_of_actions_says_what_becomes_of_each() -> None:
    found = list(rows("Actions"))
    assert len({name for name, _, _ in found}) == len(found)
    documented = {name: here for name, here, _ in found}
    expected = {
        **dict.fromkeys(catalog.ACTIONS.values(), "runs"),
        **dict.fromkeys(catalog.CONNECTORS.values(), "runs through a connector"),
        **{refusal.name: "refused" for refusal in catalog.REFUSED.values()},
    }
    assert documented == expected
    reasons = {refusal.name: refusal.reason for refusal in catalog.REFUSED.values()}
    assert [name for name, _, notes in found if name in reasons and reasons[name][1:] not in notes] == []


def test_the_reference_of_triggers_says_what_becomes_of_each() -> None:
    found = list(rows("Triggers"))
    assert sorted(name for name, _, _ in found) == sorted(catalog.TRIGGERS.values())
    assert {here for _, here, _ in found} <= {"runs", "runs through a connector"}
    [kinds] = [notes for name, _, notes in found if name == "Request"]
    assert [kind for kind in catalog.REQUEST_KINDS.values() if kind not in re.findall(r"\w+", kinds)] == []


def test_the_reference_of_problems_is_the_table_of_explanations() -> None:
    text, _, _ = PROBLEMS.read_text("utf-8").partition(ERRORS)
    expected = [
        f"| `{each.code}` | {', '.join(each.severities)} | {each.meaning} | {each.example} | {each.remedy} |"
        for each in explanations().values()
    ]
    assert re.findall(r"^\| `.*\|$", text, re.MULTILINE) == expected
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(dict.fromkeys(e.group for e in explanations().values()))


def test_the_reference_of_problems_has_a_row_for_every_error_code() -> None:
    _, _, text = PROBLEMS.read_text("utf-8").partition(ERRORS)
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    codes = error_codes()
    assert [code for code, count in Counter(rows).items() if count > 1] == []
    assert sorted(codes - set(explanations()) - set(rows)) == []
    assert sorted(set(rows) - codes) == []


def test_the_reference_of_expressions_is_complete() -> None:
    words = set(re.findall(r"\w+", (ROOT / "docs" / "reference" / "expressions.md").read_text("utf-8")))
    known = [function.name for table in (FUNCTIONS, CONTEXT_FUNCTIONS) for function in table.values()]
    assert [name for name in known if name not in words] == []


def test_the_reference_of_the_command_line_is_complete() -> None:
    import typer
    from sealflow.engine.hosts.cli.app import application

    text = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    missing = []
    for name, command in _leaves(typer.main.get_command(application()), ""):
        if not re.search(rf"`{name}\b", text):
            missing.append(name)
        rows = " ".join(re.findall(rf"^\| [^|]*`{name}\b.*$", text, re.MULTILINE)) + text.split("|")[0]
        for parameter in command.params:
            longest = max(parameter.opts, key=len)
            if longest.startswith("--") and longest != "--help" and longest not in rows:
                missing.append(f"{name} {longest}")
    assert missing == []


def _leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        yield from _leaves(each, f"{path} {name}".strip())
