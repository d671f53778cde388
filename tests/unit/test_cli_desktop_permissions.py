"""`env allow`, as somebody uses it who has never seen it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_session import Cli

WRITE = "File.WriteText File: $'''C:\\\\a.txt''' TextToWrite: $'''x''' Encoding: File.FileEncoding.UTF8\n"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    cli = Cli(tmp_path, monkeypatch, capsys)
    assert cli("env", "create", "e").code == 0
    (cli.folder / "data").mkdir()
    return cli


def test_a_new_environment_allows_nothing(cli: Cli) -> None:
    shown = cli("env", "permissions", "show", "e")
    assert (shown.code, shown.out.splitlines()[-2:]) == (0, ["desktop flows", "  nothing is allowed"])
    assert cli("env", "permissions", "show", "e", "--json").json["desktop"] == {}
    missing = cli("env", "permissions", "show", "none", "--json")
    assert (missing.code, missing.json["error"]["code"]) == (3, "RecordNotFound")


def test_what_is_allowed_is_added_shown_and_undone(cli: Cli) -> None:
    path = str(cli.folder / "data")
    assert cli("env", "permissions", "set", "e", "--map", "c:=data:ro", "--scripts", "Python").code == 0
    done = cli(
        "env",
        "permissions",
        "set",
        "e",
        "--application",
        "tar",
        "--answer",
        "Go on?=Yes=No",
        "--time-zone",
        "Asia/Tokyo",
    )
    assert done.code == 0
    expected = {
        "folders": [{"path": path, "write": False}],
        "mapping": {"C:": path},
        "scripts": ["python"],
        "applications": ["tar"],
        "answers": {"Go on?": "Yes=No"},
        "timeZone": "Asia/Tokyo",
    }
    assert cli("env", "permissions", "show", "e", "--json").json["desktop"] == expected
    shown = cli("env", "permissions", "show", "e").out
    for each in (f"{path} (read only)", "C:", "python", "tar", "Go on?: Yes=No", "Asia/Tokyo"):
        assert each in shown
    assert cli("env", "permissions", "set", "e", "--egress-default", "none").code == 0
    reset = cli("env", "permissions", "reset", "e", "--desktop", "--json").json
    assert (reset["desktop"], reset["egress"]["default"]) == ({}, "none")
    both = cli("env", "permissions", "set", "e", "--scripts", "shell", "--egress-default", "public", "--json").json
    assert (both["desktop"], both["egress"]["default"]) == ({"scripts": ["shell"]}, "public")
    reset = cli("env", "permissions", "reset", "e", "--json").json
    assert (reset["desktop"], reset["egress"]["default"]) == ({}, None)


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (("--folder", "missing"), 2, "InvalidSetting"),
        (("--map", "C:"), 2, "InvalidUsage"),
        (("--map", "Data=data"), 2, "InvalidSetting"),
        (("--scripts", "vbscript"), 2, "InvalidSetting"),
        (("--time-zone", "Nowhere"), 2, "InvalidSetting"),
    ],
)
def test_what_cannot_be_allowed(cli: Cli, options: tuple[str, str], code: int, error: str) -> None:
    failed = cli("env", "permissions", "set", "e", *options, "--json")
    assert (failed.code, failed.json["error"]["code"]) == (code, error)
    assert cli("env", "permissions", "show", "e", "--json").json["desktop"] == {}


def test_only_an_environment_administrator_sets_permissions(cli: Cli) -> None:
    change = ("env", "permissions", "set", "e", "--scripts", "python")
    denied = cli(*change, "--as", "bob", "--role", "key-administrator", "--json")
    assert (denied.code, denied.json["error"]["code"]) == (4, "NotPermitted")
    assert cli(*change, "--as", "ann", "--role", "environment-administrator").code == 0


def test_it_is_on_record(cli: Cli) -> None:
    before = cli("audit", "list", "--no-calls", "--json").json
    cli("env", "permissions", "show", "e")
    assert cli("audit", "list", "--no-calls", "--json").json == before
    cli("env", "permissions", "set", "e", "--map", "C:=data")
    acts = [each for each in cli("audit", "list", "--json").json if each["act"] == "environment permissions set"]
    assert [(each["subject"], each["status"]) for each in acts] == [("e", "Succeeded")]
    assert cli("audit", "verify").code == 0


def test_a_flow_does_what_it_is_allowed_and_no_more(cli: Cli) -> None:
    cli.write("f.robin", WRITE)
    refused = cli("run", "f.robin", "--environment", "e")
    assert refused.code == 1
    assert "AccessDeniedError" in refused.err + refused.out
    assert cli("env", "permissions", "set", "e", "--map", "C:=data:ro").code == 0
    assert cli("run", "f.robin", "--environment", "e").code == 1
    assert list((cli.folder / "data").iterdir()) == []
    assert cli("env", "permissions", "set", "e", "--folder", "data").code == 0
    assert cli("run", "f.robin", "--environment", "e").code == 0
    assert (cli.folder / "data" / "a.txt").read_text("utf-8-sig").strip() == "x"


def test_passwords_are_not_shown(cli: Cli) -> None:
    cli.write("data/a.txt", "a")
    cli("env", "permissions", "set", "e", "--map", "C:=data")
    secret = "hunter2-canary"
    cli.write(
        "z.robin",
        f"SET p TO $'''x''' + $'''{secret}'''\n"
        + "Compression.ZipFiles ArchivePath: $'''C:\\\\a.zip''' FilesOrFoldersToZip: $'''C:\\\\a.txt''' Password: p "
        + "ZipFile=> Zip\n"
        + "Database.Connect.Connect ConnectionString: "
        + f"$'''Driver={{SQLite3 ODBC Driver}};Database=b.db;Pwd={secret}''' Connection=> c\n",
    )
    show = ("runs", "show", "latest", "--environment", "e")
    ran = cli("run", "z.robin", "--environment", "e")
    assert ran.code == 0, ran.err
    paths = {each["index"]: each["path"] for each in cli(*show, "--json").json["actions"]}
    zipped = cli(*show, "--action", paths[2]).out
    assert "•••" in zipped
    assert "a.zip" in zipped
    for more in ((paths[2],), (paths[2], "--trace"), (paths[3], "--json")):
        shown = cli(*show, "--action", *more)
        assert secret not in shown.out + shown.err, more
    assert secret not in ran.out + ran.err


def test_what_was_allowed_is_on_record_without_answers(cli: Cli) -> None:
    path = str(cli.folder / "data")
    allowed = ("--folder", "data:ro", "--scripts", "python", "--answer", "Password=canary")
    assert cli("env", "permissions", "set", "e", *allowed).code == 0
    assert cli("env", "permissions", "reset", "e").code == 0
    assert cli("env", "permissions", "set", "e", "--map", "C:=data", "--time-zone", "Asia/Tokyo").code == 0
    shown = cli("audit", "list", "--act", "environment permissions", "--json")
    assert [each["detail"] for each in shown.json] == [
        {"desktop": {"folders": [f"{path}:ro"], "scripts": ["python"], "answers": ["Password"]}},
        {"egress": {"reset": True}, "desktop": {"reset": True}},
        {"desktop": {"mapping": {"C:": path}, "timeZone": "Asia/Tokyo"}},
    ]
    assert "canary" not in shown.out
