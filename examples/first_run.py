"""What `./dev run` shows: a cloud flow and a desktop flow run, everything about them is stored sealed, and that is
then checked.

    python examples/first_run.py [--home DIR]

It works in a folder of its own with a keystore of its own and leaves the user's keystore alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # for examples.cloud.standin; `sealflow` is installed

import sealflow  # noqa: E402
from sealflow.connectors.desktop import Settings  # noqa: E402
from sealflow.connectors.desktop.folders import Allowed  # noqa: E402

from examples.cloud.standin import StandIn  # noqa: E402

FLOW = ROOT / "examples" / "cloud" / "order_fanout.json"
SCRIPT = ROOT / "examples" / "desktop" / "invoices_to_workbook.robin"
COMMAND = shlex.quote(os.path.relpath(Path(sys.executable).with_name("sealflow")))
"""The command of the environment that runs this, as a path from the current folder."""

CUSTOMER = "Wilhelmina Quadflieg, Tulip Lane 7"
INVOICES = """\
Number,Customer,Date,Net,Rate
INV-40711,Ottilie Kranichfeld,2026-01-31,1000,19
INV-40712,Ottilie Kranichfeld,2026-02-01,ten,19
"""

CANARIES = {
    "the input": CUSTOMER,
    "an output of an action": "R-SO-1004",
    "an error message": "0 of DESK-9 are in stock",
    "the name of the flow": "order_fanout",
    "the name of an action": "Reserve_stock",
    "an expression of the definition": "items('For_each_order')",
    "a parameter": "127.0.0.1",
    "the name of the environment": "first-run",
    "the name of the desktop flow": "invoices_to_workbook",
    "the desktop flow's script": "NoteReason",
    "the desktop flow's input": "invoices-of-january.csv",
    "a row that it read": "Ottilie Kranichfeld",
    "what it set a variable to": "Net cannot be read",
}
"""What must not be found in the clear, by what it is."""


def show(entry: Any) -> None:
    """One line for each action when it ends."""
    told = entry.to_json()
    if told["end"] is None or told["status"] == "Skipped":
        return
    mark = "✓" if told["status"] == "Succeeded" else "✗"
    # A scope that failed says no more than its actions do.
    reason = f"  {told['error']['message']}" if told["error"] and told["code"] != "ActionFailed" else ""
    print(f"  {mark} {told['path']:<44} {told['type']:<22} {told['code']}{reason}")


def show_row(entry: Any) -> None:
    """One line for each row of the script that reached outside, when it ends."""
    told = entry.to_json()
    if told["end"] is None or told["systemModuleName"] not in ("Excel", "File"):
        return
    mark = "✓" if told["status"] == "Succeeded" else "✗"
    print(f"  {mark} {told['functionName']}:{told['index']:<3} {told['name']}")


def search(folder: Path) -> tuple[int, int, list[str]]:
    """Look for every canary in all files below `folder`, names included: files, bytes, and what was found where."""
    files = size = 0
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            files, size = files + 1, size + len(data)
            haystack = str(path.relative_to(folder)).encode() + b"\n" + data
            found += [f"{what} in {path}" for what, text in CANARIES.items() if text.encode() in haystack]
    return files, size, found


async def run_script(environment: sealflow.Environment) -> sealflow.Run:
    """The desktop flow, on the CSV file in the folder that the environment allows; the run, which has ended."""
    flow = await environment.deploy(SCRIPT.stem, SCRIPT)
    print(f"\nDesktop flow {flow.name}, version {flow.version}, with C: for a folder that it may use:\n")
    inputs = {"Source": "C:\\invoices-of-january.csv", "Target": "C:\\invoices.xlsx"}
    [run] = await environment.start(flow, inputs, on_change=show_row)
    result = await run.result()
    print(f"\nThe run {result.status.lower()}, wrote the workbook, and gave back: {result.outputs}")
    if result.status != "Succeeded":
        raise SystemExit(f"This is not as it must be: {result.error}")
    return run


async def first_run(home: Path, keystore: Path, files_of_flow: Path) -> int:
    began = time.perf_counter()
    desktop = Settings(folders=(Allowed(files_of_flow),), mapping={"C:": files_of_flow})
    with StandIn() as service:
        async with sealflow.open(home, keystore=keystore, desktop=desktop) as engine:
            environment = await engine.environment("first-run")
            flow = await environment.deploy("order_fanout", FLOW)
            print(f"Flow {flow.name}, version {flow.version}, calls a stand-in on {service.url}:\n")
            [run] = await environment.start(
                flow, {"customer": CUSTOMER}, parameters={"service": service.url}, on_change=show
            )
            result = await run.result()
            print(f"\nThe run {result.status.lower()} in {time.perf_counter() - began:.1f} s and answered:\n")
            print(json.dumps(result.response["body"] if result.response else None, indent=2))

            script_run = await run_script(environment)

            # Twice: while the store is open, its write-ahead log beside it, and after it was closed.
            files, size, found = search(home)
            stored = [await (await environment.run(each)).snapshot() for each in (run.id, script_run.id)]
            definitions = [(await environment.flow(name)).definition for name in (flow.name, SCRIPT.stem)]
        files_after, size_after, found_after = search(home)

    opened = json.dumps([[each.to_json() for each in stored], definitions], ensure_ascii=False)
    unread = [what for what, text in CANARIES.items() if text not in opened]
    found += found_after
    print(
        f"\nIs any of it stored in the clear? Searched for {len(CANARIES)} texts ({', '.join(CANARIES)}):"
        f"\n  open    {files} files, {size:,} bytes"
        f"\n  closed  {files_after} files, {size_after:,} bytes"
        f"\n  found   {len(found)}"
        f"\n  control {len(CANARIES) - len(unread)} of {len(CANARIES)} found in the histories, opened with the key"
    )
    if found or unread or result.status != "Succeeded":
        print("\nThis is not as it must be:", *found, *unread, result.error or "", sep="\n  ", file=sys.stderr)
        return 1
    print(
        f"\nThe store is {home}"
        f"\nThe key is   {keystore}"
        f"\nThe desktop flow's own files, which are not of the store, are in {files_of_flow}"
        "\nWithout the key the store cannot be read; lose it and the data is lost."
        "\n\nNext:"
        f"\n  export SEALFLOW_HOME={shlex.quote(str(home))} SEALFLOW_KEYSTORE={shlex.quote(str(keystore))}"
        f"\n  {COMMAND} runs show {run.id} --environment first-run"
        f'\n  {COMMAND} run examples/cloud/hello.json --input \'{{"name": "Ada"}}\''
        "\n  docs/tutorial.md"
    )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Runs a cloud flow and a desktop flow and shows that nothing about them is stored in the clear."
    )
    parser.add_argument("--home", type=Path, help="a folder for the store; default: a new temporary one")
    home: Path | None = parser.parse_args().home
    if home is None:
        home = Path(tempfile.mkdtemp(prefix="sealflow-first-run-")) / "home"
    home = home.absolute()
    beside = home.with_name
    own = beside(home.name + "-files")
    own.mkdir(parents=True, exist_ok=True)
    (own / "invoices-of-january.csv").write_text(INVOICES, "utf-8")
    return asyncio.run(first_run(home, beside(home.name + "-keystore.json"), own))


if __name__ == "__main__":
    sys.exit(main())
