"""kill -9 while a large value is written: what was acknowledged is there, the rest is made again, nothing is left."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import sealflow
from http_server import Seen, as_json, raw, serving

S = ["Succeeded"]
BODY = bytes(range(256)) * 12_000  # 3 MB: twelve chunks, in about four commits

PROCESS = """
import asyncio, json, os, signal, sys
from pathlib import Path
import sealflow

async def main(folder, fatal):
    async with sealflow.open(folder / "home", keystore=folder / "k.json") as engine:
        env = await engine.environment("env")
        (run,) = await env.start(await env.deploy("f", json.loads((folder / "f.json").read_text())))
        await env._vault.flush()
        print(run.id, flush=True)
        backend, left = env._vault._backend, [fatal]
        real = backend.commit

        async def commit(batch):
            counts = bool(batch.values.chunks) if fatal else bool(batch.values.settled)
            done = await real(batch)
            left[0] -= counts
            if counts and left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        backend.commit = commit
        await run.wait()

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.parametrize("fatal", [1, 3, 0], ids=["after the first commit", "after the third", "with its record"])
async def test_it_goes_on_as_if_nothing_had_happened(tmp_path: Path, fatal: int) -> None:
    gets: list[Seen] = []
    puts: list[Seen] = []

    def answer(request: Seen) -> bytes:
        if request.method == "GET":
            gets.append(request)
            return raw(200, BODY, Content_Type="application/octet-stream")
        puts.append(request)
        return as_json({"digest": sha256(request.body).hexdigest()})

    async with serving() as serve:
        server = await serve(answer)
        get = {"type": "Http", "inputs": {"method": "GET", "uri": server.url}}
        put = {"type": "Http", "inputs": {"method": "POST", "uri": server.url, "body": "@body('get')"}}
        actions = {"get": get, "put": {**put, "runAfter": {"get": S}}}
        definition = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}
        (tmp_path / "f.json").write_text(json.dumps(definition))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROCESS, str(tmp_path), str(fatal), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        assert process.returncode == -signal.SIGKILL
        async with sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json") as engine:
            env = await engine.environment("env")
            run = await env.run(output.decode().strip())
            rows = await env._vault._backend.values.of_run(run._id)
            assert [row.settled for row in rows] == [0 if fatal else 1]
            await run.resume()
            assert await run.wait(60) == "Succeeded"
            result = await run.result()
            assert result.actions[1]["outputs"]["body"] == {"digest": sha256(BODY).hexdigest()}
            assert len(gets) == (2 if fatal else 1)  # what is durable is not asked for again
            (row,) = await env._vault._backend.values.of_run(run._id)
            assert row.settled
            assert (row.value_id in {each.value_id for each in rows}) == (not fatal)
