"""The script, values and permissions of a desktop flow are searched for on the disk and in logs. Nothing is found.

Its own files, in the folder that it is allowed, are the flow's affair and not searched. The control finds every canary
in a plaintext export, the definition and what is allowed.
"""

from __future__ import annotations

import json
from typing import Any

from canaries import Canaries, files
from processes import Ended, Place

WHAT = (
    "the file", "a comment", "a subflow", "a variable", "a text", "the input", "a name of an input",
    "a sensitive input", "a sensitive value", "what a file holds", "a name of a file", "a cell", "an error",
    "an output", "an answer", "a dialog", "a member", "a column", "an item", "a label",
)  # fmt: skip
CANARIES = Canaries({what: f"Kanarieqzjxvw{number:02d}Vogel" for number, what in enumerate(WHAT)})
C = CANARIES.texts

SCRIPT = f"""@SENSITIVE: [Secret, Derived]
@INPUT Given : {{ 'Description': '', 'FriendlyName': '{C["a name of an input"]}', 'Type': 'String' }}
@INPUT Secret : {{ 'Description': '', 'FriendlyName': 'Secret', 'Type': 'String' }}
@OUTPUT Result : {{ 'Description': '', 'FriendlyName': '{C["an output"]}', 'Type': 'String' }}
# {C["a comment"]}
SET {C["a variable"]} TO $'''{C["a text"]} %Given%'''
SET Derived TO $'''%Secret% {C["a sensitive value"]}'''
SET Object TO {{ '{C["a member"]}': ['{C["an item"]}'] }}
Variables.CreateNewDatatable InputTable: {{ ^['{C["a column"]}'], [1] }} DataTable=> Table
LABEL '{C["a label"]}'
CALL {C["a subflow"]}
WAIT 3600
FUNCTION {C["a subflow"]} GLOBAL
    File.ReadTextFromFile.ReadText File: $'''C:\\\\{C["a name of a file"]}.txt''' Encoding: File.TextFileEncoding.UTF8 Content=> Content
    Excel.LaunchExcel.LaunchNewDocument Visible: False Instance=> Book
    Excel.WriteToExcel.WriteCell Instance: Book Value: $'''{C["a cell"]}''' Column: 1 Row: 1 WorksheetName: $'''%''%'''
    Excel.ReadFromExcel.ReadAllCells Instance: Book ReadAsText: False FirstLineIsHeader: False RangeValue=> Cells
    File.Delete Files: $'''C:\\\\{C["an error"]}.txt'''
        ON ERROR
            SET Result TO $'''failed'''
        END
    Text.Replace Text: Content TextToFind: Secret IsRegEx: False IgnoreCase: False ReplaceWith: $'''%''%''' ActivateEscapeSequences: False Result=> Replaced
    Display.InputDialog Title: $'''{C["a dialog"]}''' Message: $'''m''' InputType: Display.InputType.SingleLine IsTopMost: False UserInput=> Told
END FUNCTION
"""  # noqa: E501


def searched(place: Place) -> list[str]:
    """What is found in the home, the keystore's folder, temporary files, the configuration folder and the logs."""
    folders = [place.home, place.keystore.parent, place.temporary, place.folder / "config", place.folder / "logs"]
    return CANARIES.found(files(*folders))


def test_nothing_of_a_desktop_flow_is_in_the_clear(place: Place) -> None:
    """A desktop flow runs. The disk and the logs contain none of its texts."""
    logs, drive = place.folder / "logs", place.folder / "drive"
    logs.mkdir()
    drive.mkdir()
    (drive / f"{C['a name of a file']}.txt").write_text(C["what a file holds"])
    count = 0

    def logged() -> list[list[Any]]:
        nonlocal count
        count += 1
        return [["log_everything", str(logs / f"{count}.log")]]

    def command(*arguments: str, stdin: str = "") -> Ended:
        return place(*arguments, stdin=stdin, prepare=logged())

    file = place.write(f"{C['the file']}.robin", SCRIPT)
    command("env", "create", "default").expect(0)
    answer = f"{C['a dialog']}={C['an answer']}"
    command("env", "permissions", "set", "default", "--map", f"C:={drive}", "--answer", answer).expect(0)
    body = json.dumps({C["a name of an input"]: C["the input"], "Secret": C["a sensitive input"]})
    first = place.start("run", file, "--input", "@-", stdin=body, prepare=logged())
    shown = first.until("input dialog")
    assert searched(place) == []
    first.kill()
    assert first.wait().killed
    assert searched(place) == []

    # Looked at, asked to end, resumed, and ended: nothing is written in the clear either.
    seen = [command("runs", "show", "latest", "--full"), command("runs", "show", "latest", "--json")]
    command("runs", "resume", "latest", "--timeout", "0.5", "--json").expect(124)
    command("runs", "cancel", "latest", "--json").expect(0)
    seen.append(command("runs", "resume", "latest", "--json"))
    sealed = str(logs / "sealed.bundle")
    command("runs", "export", "latest", "--out", sealed).expect(0)
    place("replay", sealed, "--json", prepare=logged()).expect(0)
    definition = command("flow", "show", C["the file"], "--definition").expect(0)
    allowed = command("env", "permissions", "show", "default").expect(0)
    assert searched(place) == []
    assert all(path.stat().st_size > 1_000 for path in logs.glob("*.log")), "nothing was logged at DEBUG"

    # The control: who has the key finds them all, and what is sensitive only in an export.
    command("runs", "export", "latest", "--plaintext", "--out", "open.json").expect(0)
    told = "".join(each.out + each.err for each in seen) + shown
    everything = (place.work / "open.json").read_bytes() + (definition.out + allowed.out + told).encode()
    assert CANARIES.missing(everything) == []
    assert {"a text", "the input", "what a file holds", "an error"}.isdisjoint(CANARIES.missing(told.encode()))
    assert {"a sensitive input", "a sensitive value"} <= set(CANARIES.missing(told.encode()))
