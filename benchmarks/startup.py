"""How long it takes to begin: importing the package, and a whole `sealflow run` of the smallest example; one JSON line.

`import_ms`: `import sealflow` in a new interpreter, without the interpreter's own start. `names_ms`: the same with
`sealflow.open`, which loads the engine. `run_ms`: the installed command from its start to its end, on a store that is
there; `first_run_ms`: with a new store and keystore. Medians, in milliseconds; targets: import 150, run 600.

`bytecode` says whether Python keeps what it has compiled here. With PYTHONDONTWRITEBYTECODE every start compiles every
module that it loads, which doubles it; `run_kept_ms` is `run_ms` as an installed package has it, whatever is set.

    python benchmarks/startup.py [rounds]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SEALFLOW = Path(sys.executable).with_name("sealflow")
EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "cloud"
TIMED = """
import time
begun = time.perf_counter()
{}
print((time.perf_counter() - begun) * 1000)
"""


def imported(statement: str) -> float:
    """Milliseconds that a statement takes in a new interpreter."""
    code = TIMED.format(statement)
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def whole(arguments: list[str], environment: dict[str, str]) -> float:
    """Milliseconds from the start of a command to its end."""
    command, nothing = [str(SEALFLOW), *arguments], subprocess.DEVNULL
    begun = time.perf_counter()
    subprocess.run(command, env=environment, stdout=nothing, stderr=nothing, check=True)
    return (time.perf_counter() - begun) * 1000


def smallest() -> Path:
    """The smallest example that needs no service."""
    alone = [path for path in EXAMPLES.glob("*.json") if b"service" not in path.read_bytes()]
    return min(alone, key=lambda path: path.stat().st_size)


def main() -> None:
    """Print the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    example = smallest()
    with tempfile.TemporaryDirectory() as folder:

        def environment(name: str) -> dict[str, str]:
            places = {"SEALFLOW_HOME": f"{folder}/{name}/home", "SEALFLOW_KEYSTORE": f"{folder}/{name}/keystore.json"}
            return {**os.environ, **places}

        def with_bytecode(of: dict[str, str]) -> dict[str, str]:
            kept = {name: value for name, value in of.items() if name != "PYTHONDONTWRITEBYTECODE"}
            return {**kept, "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}

        run = ["run", str(example), "--json"]
        whole(run, environment("kept"))
        times = {
            "import_ms": [imported("import sealflow") for _ in range(rounds)],
            "names_ms": [imported("import sealflow; sealflow.open") for _ in range(rounds)],
            "version_ms": [whole(["--version"], environment("none")) for _ in range(rounds)],
            "run_ms": [whole(run, environment("kept")) for _ in range(rounds)],
            "run_kept_ms": [whole(run, kept) for kept in [with_bytecode(environment("kept"))] * (rounds + 1)][1:],
            "first_run_ms": [whole(run, environment(f"new{number}")) for number in range(rounds)],
        }
    result: dict[str, object] = {"benchmark": "startup", "unit": "ms", "example": example.name, "rounds": rounds}
    result["bytecode"] = not sys.dont_write_bytecode
    print(json.dumps(result | {name: round(statistics.median(found), 1) for name, found in times.items()}))


if __name__ == "__main__":
    main()
