"""`runs`, `flow`, `env` and `replay` on a real store."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cli_session import Cli, S, compose, http, wait
from preparations import later


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


@pytest.fixture
def ended(cli: Cli) -> Cli:
    """A folder with one run of `f`, Succeeded, with a loop in it."""
    each = {"type": "Foreach", "foreach": "@range(0, 5)", "actions": {"Double": compose("@mul(item(), 2)")}}
    cli.flow("f", {"A": compose({"secret": "canary"}), "Each": {**each, "runAfter": {"A": S}}})
    assert cli("run", "f.json").code == 0
    return cli


@pytest.fixture
def unfinished(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A folder with one run of `slow`, left in the middle of a delay, which is over by now."""
    cli.flow("slow", {"A": compose(1), "Delay": wait(3600, "A"), "B": compose("@add(outputs('A'), 1)", "Delay")})
    assert cli.left("run", "slow.json").code == 124
    later(7200, monkeypatch.setattr)
    return cli


# ---- runs list


def test_list(ended: Cli) -> None:
    ended("run", "f.json", "--json")
    found = ended("runs", "list", "--json").json
    assert [each["flow"] for each in found] == ["f", "f"]
    assert list(found[0]) == ["run", "flow", "version", "status", "start", "end", "parent"]
    assert found[0]["start"] >= found[1]["start"]
    head, first, _ = ended("runs", "list").out.splitlines()
    assert head.split() == ["RUN", "FLOW", "STARTED", "TOOK", "STATUS"]
    assert first.startswith(found[0]["run"])
    assert first.endswith("Succeeded")


def test_list_filters(ended: Cli) -> None:
    ended.flow("g", {"A": compose("@int('x')")})
    ended("run", "g.json")
    assert [each["flow"] for each in ended("runs", "list", "--status", "failed", "--json").json] == ["g"]
    assert [each["flow"] for each in ended("runs", "list", "--flow", "f", "--json").json] == ["f"]
    assert [each["flow"] for each in ended("runs", "list", "--limit", "1", "--json").json] == ["g"]
    assert len(ended("runs", "list", "--since", "1h", "--json").json) == 2
    assert ended("runs", "list", "--until", "1h", "--json").json == []
    assert ended("runs", "list", "--since", "2999-01-01", "--json").json == []
    assert ended("runs", "list", "--until", "2000-01-01").err == "no runs\n"
    assert ended("runs", "list", "--status", "nonsense").code == 2
    assert ended("runs", "list", "--since", "then").code == 2
    assert ended("runs", "list", "--flow", "none").code == 3


def test_nothing_is_made_by_looking(cli: Cli) -> None:
    for arguments in (["runs", "list"], ["runs", "show", "latest"], ["flow", "list"], ["env", "list"], ["env", "show"]):
        done = cli(*arguments, "--json")
        assert (done.code, done.error["code"]) == (3, "NotFound")
    assert list(cli.folder.iterdir()) == []


# ---- runs show


def test_show(ended: Cli) -> None:
    lines = ended("runs", "show", "latest").out.splitlines()
    assert lines[1] == "f version 1, environment default"
    assert lines[2].startswith("  ✓ A")
    assert lines[3].startswith("  ✓ Each (5 iterations)")
    assert lines[4:6] == ["    [0]", "      ✓ Double"]
    assert "… 2 more iterations" in lines[-2]
    assert lines[-1].startswith("Succeeded")
    assert lines[-1].endswith("7 actions: 7 succeeded")
    assert "[4]" in ended("runs", "show", "latest", "--full").out


def test_show_json_is_the_object_of_run(ended: Cli) -> None:
    ran = ended("run", "f.json", "--json").json
    assert ended("runs", "show", ran["run"], "--json").json == ran
    assert ended("runs", "show", ran["run"].replace("-", "")[:30], "--json").json == ran


def test_show_one_action(ended: Cli) -> None:
    for name in ("/A", "A", "a"):
        lines = ended("runs", "show", "latest", "--action", name).out.splitlines()
        assert lines[:2] == ["/A (Compose)", "Succeeded (OK)"]
        assert '    "secret": "canary"' in lines
    assert ended("runs", "show", "latest", "--action", "/Each[3]/Double", "--json").json["outputs"] == 6
    assert ended("runs", "show", "latest", "--action", "none").code == 3
    several = ended("runs", "show", "latest", "--action", "Double")
    assert several.code == 2
    assert "/Each[0]/Double" in several.err


def test_runs_that_are_not_there(ended: Cli) -> None:
    for run in ("00000000-0000-7000-8000-000000000000", "e", "no id", "ffffffffffff"):
        for verb in ("show", "follow", "resume", "cancel"):
            assert ended("runs", verb, run).code == 3, (verb, run)
        assert ended("runs", "export", run, "--out", "x").code == 3
    assert not (ended.folder / "x").exists()


# ---- follow, resume, cancel


def test_an_unfinished_run_is_shown_as_it_stands(unfinished: Cli) -> None:
    lines = unfinished("runs", "show", "latest").out.splitlines()
    assert lines[2:] == ["  ✓ A", "  … Delay", "Running, 2 actions: 1 succeeded, 1 running"]
    assert unfinished("runs", "list", "--json").json[0]["end"] is None


def test_resume_goes_on_where_it_was(unfinished: Cli) -> None:
    done = unfinished("runs", "resume", "latest")
    assert done.code == 0
    assert done.out.splitlines()[0].startswith("slow version 1, run ")
    assert "✓ B" in done.out.splitlines()
    result = unfinished("runs", "show", "latest", "--json").json
    assert [action["path"] for action in result["actions"]] == ["/A", "/Delay", "/B"]
    again = unfinished("runs", "resume", "latest", "--json")
    assert (again.code, again.json["status"]) == (0, "Succeeded")
    assert "has ended already" in again.err


def test_resume_all(unfinished: Cli) -> None:
    done = unfinished("runs", "resume", "--all", "--json")
    assert (done.code, [line["status"] for line in done.lines]) == (0, ["Succeeded"])
    assert "no unfinished runs" in unfinished("runs", "resume", "--all").err
    assert unfinished("runs", "resume").code == 2
    assert unfinished("runs", "resume", "latest", "--all").code == 2


def test_follow_an_ended_run_gives_its_exit_code(ended: Cli) -> None:
    done = ended("runs", "follow", "latest")
    assert done.code == 0
    assert any(line.startswith("✓ Each 5 iterations, 5 actions") for line in done.out.splitlines())
    ended.flow("g", {"A": compose("@int('x')")})
    ended("run", "g.json")
    assert ended("runs", "follow", "latest", "--json").code == 1


def test_follow_a_run_that_nobody_executes(unfinished: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from sealflow.engine.hosts.cli.output import watching

    monkeypatch.setattr(watching, "QUIET", 0.0)
    done = unfinished("runs", "follow", "latest", "--timeout", "0.3")
    assert done.code == 124
    assert "sealflow runs resume" in done.err


def test_cancel(unfinished: Cli) -> None:
    done = unfinished("runs", "cancel", "latest", "--reason", "enough", "--json")
    assert done.code == 0
    assert (done.json["cancelled"], done.json["status"]) == (True, "Cancelled")
    assert "  Cancelled: enough" in unfinished("runs", "show", "latest").out.splitlines()
    again = unfinished("runs", "cancel", "latest", "--json")
    assert (again.code, again.json["cancelled"]) == (0, False)
    assert "had ended already" in unfinished("runs", "cancel", "latest").out


def test_cancel_a_run_that_succeeded_is_1(ended: Cli) -> None:
    assert ended("runs", "cancel", "latest").code == 1


# ---- export and replay


def test_export_is_sealed_unless_plaintext_is_asked_for(ended: Cli) -> None:
    sealed = ended("runs", "export", "latest", "--out", "b.sealed", "--json")
    assert (sealed.code, sealed.json["sealed"], sealed.err) == (0, True, "")
    data = (ended.folder / "b.sealed").read_bytes()
    assert len(data) == sealed.json["bytes"]
    assert b"canary" not in data
    plain = ended("runs", "export", "latest", "--out", "b.json", "--plaintext")
    assert "NOT encrypted" in plain.err
    assert b"canary" in (ended.folder / "b.json").read_bytes()
    assert stat.S_IMODE((ended.folder / "b.json").stat().st_mode) == 0o600
    assert ended("runs", "export", "latest", "--out", "none/x").code == 3
    assert ended("runs", "export", "latest").code == 2
    assert ended("runs", "export", "latest", "--out", "-", "--json").code == 2
    assert ended("runs", "export", "latest", "--out", "-", "--plaintext").out.startswith("{")


def test_export_says_what_to_type_next(cli: Cli) -> None:
    cli("env", "create", "other")
    cli.flow("f", {"A": compose(1)})
    cli("run", "f.json", "--environment", "other")
    said = cli("runs", "export", "latest", "--out", "b", "--environment", "other").out
    (again,) = [line.removeprefix("next: sealflow ") for line in said.splitlines() if line.startswith("next: ")]
    assert cli(*again.split()).code == 0


def test_replay_the_same(ended: Cli) -> None:
    ended("runs", "export", "latest", "--out", "b.sealed")
    ended("runs", "export", "latest", "--out", "b.json", "--plaintext")
    done = ended("replay", "b.sealed", "b.json", "--json")
    assert done.code == 0
    assert list(done.json) == ["ok", "runs", "actions", "differences"]
    assert (done.json["ok"], done.json["runs"], done.json["differences"]) == (True, 2, [])
    assert done.json["actions"] > 10
    people = ended("replay", "b.sealed")
    assert people.out.startswith("b.sealed: the same (run ")


def test_replay_another_definition(cli: Cli) -> None:
    actions = {"A": compose(1), "B": compose("@outputs('A')", "A")}
    cli.flow("f", actions)
    cli("run", "f.json")
    cli("runs", "export", "latest", "--out", "b")
    cli.flow("changed", {**actions, "B": compose("@outputs('A')", "A", on=["Failed"])})
    done = cli("replay", "b", "--definition", "changed.json", "--json")
    assert (done.code, done.json["ok"]) == (1, False)
    (difference,) = done.json["differences"]
    assert list(difference) == ["run", "path", "kind", "expected", "actual"]
    assert difference["path"] == "/B"
    assert "different at /B" in cli("replay", "b", "--definition", "changed.json").out
    assert cli("replay", "b", "--definition", "f.json").code == 0
    cli.write("broken.json", "{")
    assert cli("replay", "b", "--definition", "broken.json").code == 2


def test_replay_what_is_not_readable_is_2(ended: Cli, tmp_path: Path) -> None:
    ended("runs", "export", "latest", "--out", "b")
    data = (ended.folder / "b").read_bytes()
    (ended.folder / "cut").write_bytes(data[:-5])
    (ended.folder / "bit").write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    ended.write("text", "hello")
    ended.write("empty", "")
    ended.write("list", "[1]")
    ended.write("object", {"format": "other"})
    hints = {}
    for name in ("cut", "bit", "text", "empty", "list", "object", "missing"):
        done = ended("replay", name, "--json")
        assert (done.code, done.error["code"]) == (2, "UnreadableBundle"), name
        hints[name] = done.error["hint"]
    assert "damaged" in hints["cut"]
    assert hints["bit"] == hints["cut"]
    assert ended("replay", "b", "--home", str(tmp_path / "none")).code == 2


def test_replay_against_a_definition_that_is_not_there_is_3(ended: Cli) -> None:
    ended("runs", "export", "latest", "--out", "b")
    done = ended("replay", "b", "--definition", "missing.json", "--json")
    assert (done.code, done.error["code"]) == (3, "NotFound")
    assert done.error["hint"]


def test_a_run_of_a_later_revision_is_not_replayed(ended: Cli) -> None:
    ended("runs", "export", "latest", "--plaintext", "--out", "b.json")
    content = json.loads((ended.folder / "b.json").read_bytes())
    content["records"][0][4]["revision"] = 99
    ended.write("later.json", content)
    done = ended("replay", "later.json", "--json")
    assert (done.code, done.error["code"]) == (2, "UnreadableBundle")
    assert "revision 99" in done.error["message"]


# ---- flows


def test_flows(cli: Cli) -> None:
    cli.flow("f", {"A": compose(1)}, parameters={"p": {"type": "String"}})
    made = cli("flow", "deploy", "f.json", "--json")
    assert made.code == 0
    assert (made.json["flow"], made.json["version"], made.json["created"]) == ("f", 1, True)
    assert cli("flow", "deploy", "f.json", "--json").json["created"] is False
    assert "f version 1 unchanged" in cli("flow", "deploy", "f.json").out
    cli.flow("f", {"A": compose(2), "S": {"type": "Scope", "actions": {"In": http()}, "runAfter": {"A": S}}})
    assert cli("flow", "deploy", "f.json", "--json").json["version"] == 2
    (listed,) = cli("flow", "list", "--json").json
    assert list(listed) == ["flow", "id", "version", "createdTime", "changedTime", "enabled"]
    assert (listed["flow"], listed["version"], listed["id"]) == ("f", 2, made.json["id"])
    shown = cli("flow", "show", "f", "--version", "1", "--json").json
    assert (shown["version"], shown["versions"]) == (1, 2)
    assert shown["definition"]["actions"]["A"]["inputs"] == 1
    lines = cli("flow", "show", "f").out.splitlines()
    assert lines[0] == "f version 2 of 2"
    assert lines[-4:] == ["trigger   manual: Request (http)", "  A: Compose", "  S: Scope", "    In: Http"]
    assert "parameter p: string, required" in cli("flow", "show", "f", "--version", "1").out
    definition = json.loads(cli("flow", "show", "f", "--definition").out)
    assert definition == cli("flow", "show", "f", "--json").json["definition"]
    assert cli("flow", "show", "none").code == 3
    assert cli("flow", "show", "f", "--version", "9").code == 3


def test_deploying_what_is_broken_keeps_nothing(cli: Cli) -> None:
    cli.flow("f", {"A": compose("@outputs('B')")})
    done = cli("flow", "deploy", "f.json", "--json")
    assert (done.code, done.error["at"], done.error["file"]) == (2, "/actions/A/inputs", "f.json")
    assert cli("flow", "list", "--json").json == []
    assert cli("flow", "deploy", "none.json").code == 3


@pytest.mark.parametrize("wrap", ["bare", "definition", "export", "standard", "arm"])
def test_every_kind_of_file_runs_under_its_stem(cli: Cli, wrap: str) -> None:
    bare: dict[str, Any] = {
        "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
        "contentVersion": "1.0.0.0",
        "triggers": {"manual": {"type": "Request", "kind": "Http"}},
        "actions": {"A": compose(1)},
    }
    resource = {"type": "Microsoft.Logic/workflows", "name": "other", "properties": {"definition": bare}}
    content = {
        "bare": bare,
        "definition": {"definition": bare},
        "export": {"name": "x", "properties": {"displayName": "Other", "definition": bare, "connectionReferences": {}}},
        "standard": {"definition": bare, "kind": "Stateful"},
        "arm": {"resources": [resource]},
    }
    cli.write("my flow.json", content[wrap])
    done = cli("run", "my flow.json", "--json")
    assert (done.code, done.json["flow"]) == (0, "my flow")


# ---- environments


def test_environments(cli: Cli) -> None:
    cli.flow("f", {"A": compose(1)})
    made = cli("env", "create", "contoso", "--json")
    assert made.code == 0
    assert "A new keystore was made" in made.err
    assert list(made.json) == ["environment", "id", "createdTime"]
    again = cli("env", "create", "contoso", "--json")
    assert (again.code, again.error["code"]) == (2, "AlreadyExists")
    assert cli("runs", "list").code == 3  # there is no default environment yet
    done = cli("run", "f.json", "--environment", "contoso")
    assert "environment contoso" in done.out.splitlines()[0]
    assert done.out.splitlines()[-1].endswith("--environment contoso")
    cli("run", "f.json")
    assert [each["environment"] for each in cli("env", "list", "--json").json] == ["contoso", "default"]
    assert len(cli("runs", "list", "-e", "contoso", "--json").json) == 1
    shown = cli("env", "show", "contoso", "--json").json
    assert (shown["flows"], shown["runs"]) == (1, {"Succeeded": 1})
    assert cli("env", "show").out.startswith("environment default (")
    assert cli("env", "list").out.splitlines()[0].split() == ["ENVIRONMENT", "ID", "CREATED"]
    assert cli("env", "show", "none").code == 3


def test_a_bundle_opens_in_its_own_environment_only(cli: Cli, tmp_path: Path) -> None:
    cli.flow("f", {"A": compose(1)})
    cli("run", "f.json", "-e", "one")
    cli("run", "f.json", "-e", "two")
    cli("runs", "export", "latest", "-e", "two", "--out", "b")
    assert cli("replay", "b").code == 0
    cli("env", "create", "three", "--home", str(tmp_path / "elsewhere"))
    other = cli("replay", "b", "--home", str(tmp_path / "elsewhere"), "--json")
    assert (other.code, other.error["code"]) == (2, "UnreadableBundle")


def test_a_protected_keystore_needs_its_passphrase(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.flow("f", {"A": compose(1)})
    monkeypatch.setenv("SEALFLOW_PASSPHRASE", "correct horse")
    assert cli("run", "f.json").code == 0
    monkeypatch.setenv("SEALFLOW_PASSPHRASE", "wrong")
    assert cli("run", "f.json").code == 4
    monkeypatch.delenv("SEALFLOW_PASSPHRASE")
    nobody = cli("run", "f.json", "--json")
    assert (nobody.code, nobody.error["code"]) == (4, "PassphraseNeeded")


# ---- pages of a run's actions


@pytest.fixture
def loop(cli: Cli) -> Cli:
    body = {"Look": compose("@item()"), "Twice": compose("@mul(2, outputs('Look'))", "Look")}
    each = {"type": "Foreach", "runtimeConfiguration": {"concurrency": {"repetitions": 1}}}
    cli("run", cli.flow("f", {"Loop": each | {"foreach": "@range(0, 20)", "actions": body}}))
    return cli


def test_a_page_of_actions_for_programs(loop: Cli) -> None:
    whole = loop("runs", "show", "latest", "--json").json
    assert len(whole["actions"]) == 41
    assert not {"total", "next"} & whole.keys()
    page = loop("runs", "show", "latest", "--json", "--limit", "30").json
    assert (page["total"], page["next"]) == (41, 30)
    rest = loop("runs", "show", "latest", "--json", "--offset", str(page["next"])).json
    assert (rest["total"], rest["next"]) == (41, None)
    assert page["actions"] + rest["actions"] == whole["actions"]
    assert {**page, "actions": 0} == {**whole, "actions": 0, "total": 41, "next": 30}


def test_a_page_of_actions_for_people(loop: Cli) -> None:
    identity = loop("runs", "show", "latest", "--json").json["run"]
    shown = loop("runs", "show", "latest", "--limit", "3").out.splitlines()
    assert shown[2:7] == [
        "  ✓ Loop",
        "    [0]",
        "      ✓ Look",
        "      ✓ Twice",
        f"  … 38 more actions; next: sealflow runs show {identity} --limit 3 --offset 3",
    ]
    shown = loop("runs", "show", "latest", "--offset", "39").out.splitlines()
    assert shown[2:4] == ["  ✓ /Loop[19]/Look", "  ✓ /Loop[19]/Twice"]
    assert shown[4].startswith("Succeeded")
    beyond = loop("runs", "show", "latest", "--offset", "50")
    assert beyond.err == "There are only 41 actions.\n"
    assert len(loop("runs", "show", "latest", "--full").out.splitlines()) == 2 + 41 + 20 + 1


@pytest.mark.parametrize("options", [["--limit", "0"], ["--offset", "-1"], ["--limit", "3", "--action", "Loop"]])
def test_pages_that_are_none(loop: Cli, options: list[str]) -> None:
    assert loop("runs", "show", "latest", *options).code == 2
