"""A large body goes through a flow whose environment is in PostgreSQL, and comes back out of it."""

from __future__ import annotations

from pathlib import Path

import sealflow
from http_server import Seen, as_json, raw, serving
from postgres_server import PostgresServer
from sealflow.storage import move_environment, verify_environment

S = ["Succeeded"]
BODY = bytes(range(256)) * 8_000  # eight chunks


async def test_it_is_stored_passed_on_moved_and_shredded(tmp_path: Path, postgres: PostgresServer) -> None:
    seen: list[Seen] = []

    def answer(request: Seen) -> bytes:
        seen.append(request)
        return raw(200, BODY, Content_Type="image/png") if request.method == "GET" else as_json({})

    async with serving() as serve, sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json") as engine:
        server = await serve(answer)
        get = {"type": "Http", "inputs": {"method": "GET", "uri": server.url}}
        put = {"type": "Http", "inputs": {"method": "POST", "uri": server.url, "body": "@body('get')"}}
        actions = {"get": get, "put": {**put, "runAfter": {"get": S}}}
        definition = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}
        await engine.create_environment("env", database=postgres.url)
        env = await engine.environment("env")
        (run,) = await env.start(await env.deploy("f", definition))
        assert await run.wait(60) == "Succeeded"
        assert seen[-1].body == BODY
        assert b"".join([piece async for piece in run.output("get")]) == BODY
        (row,) = await env._vault._backend.values.of_run(run._id)
        assert len(await env._vault._backend.values.chunks(row.value_id, 0, 100)) == 8
        assert (await verify_environment(engine.store, "env")).findings == []
        name = run.id
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json") as engine:
        await move_environment(engine.administration("maria"), "env", None)
        env = await engine.environment("env")
        run = await env.run(name)
        assert b"".join([piece async for piece in run.output("put", part="inputs")]) == BODY
        await env.retention.delete_runs(name)
        assert await env._vault._backend.values.of_run(run._id) == []
