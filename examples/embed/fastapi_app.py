"""Sealflow inside a FastAPI application: the engine starts and ends with it; runs that a crash left unfinished go on.

    pip install 'sealflow[examples]'
    uvicorn --app-dir examples/embed fastapi_app:app
    curl localhost:8000/flows/hello/runs --json '{"name": "Ada"}'

A POST answers what the flow's Response action answers, or 202 if that takes longer than `PATIENCE`; GET /runs/ID then
says how the run stands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import sealflow
from fastapi import Body, FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse

FLOWS = Path(__file__).parent.parent / "cloud"
PATIENCE = 30.0
"""Seconds that a POST waits for the flow's answer. The run goes on afterwards."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with sealflow.open() as engine:
        environment = await engine.environment("web")
        for file in sorted(FLOWS.glob("*.json")):
            await environment.deploy(file.stem, file, artifacts=FLOWS / "Artifacts")
        await environment.resume_unfinished()
        app.state.environment = environment
        yield


app = FastAPI(title="Flows", lifespan=lifespan)


@app.post("/flows/{name}/runs")
async def start(name: str, body: Annotated[Any, Body()] = None) -> Response:
    """Start a flow and give its answer."""
    try:
        runs = await app.state.environment.start(name, body)
    except sealflow.SealflowError as error:
        status = 404 if isinstance(error, sealflow.NotFound) else 400
        raise HTTPException(status, error.to_json()) from None
    if not runs:  # the trigger's condition is false
        return Response(status_code=204)
    run = runs[0]
    where = {"Location": f"/runs/{run.id}"}
    try:
        answer = await run.response(timeout=PATIENCE)
    except TimeoutError:
        answer = None
    if answer is None or answer["statusCode"] == 202:  # it takes longer, or nothing answers
        return JSONResponse({"run": run.id}, 202, where)
    return JSONResponse(answer.get("body"), answer["statusCode"], where)


@app.get("/runs/{run_id}")
async def show(run_id: str) -> dict[str, Any]:
    """How a run stands: its status and its actions so far."""
    try:
        run = await app.state.environment.run(run_id)
    except sealflow.NotFound as error:
        raise HTTPException(404, error.to_json()) from None
    result = await run.snapshot()
    steps = [{name: action[name] for name in ("path", "status", "code", "attempts")} for action in result.actions]
    return {"run": result.run, "flow": result.flow, "status": result.status, "error": result.error, "actions": steps}
