"""A body of 100 MB goes through a flow: from one HTTP service into an action's output and on to another; through the
engine as it is embedded, SQLite, everything sealed; one JSON line.

Each case runs in a process of its own, and the services in another. `extra_mb` is how much the peak of its resident
memory is above that of a flow whose body has 1 KB, `seconds` how long the run took, `output_seconds` how long reading
the output back as a stream did (`extra_with_output_mb`: the peak with that). `others_ms` is what small runs took that
were started one after the other meanwhile: the median and the longest, and the same without the large one (`alone_ms`).

- `text`: text/plain, passed on.
- `bytes`: application/octet-stream, passed on.
- `made`: a text that an expression makes, in place of an answer.

    python benchmarks/large.py [case ...] [--mb N] [--chunk KIB]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import sealflow

CASES = ("text", "bytes", "made")
S = ["Succeeded"]
PIECE = bytes(range(32, 96)) * 1024


def megabytes() -> float:
    """The peak of this process's resident memory so far. It is kibibytes on Linux and bytes on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


# --- the services


async def serve() -> None:
    """Gives bodies of any length, and the digest of what it gets, holding none of it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            _, target, _ = line.decode().split(" ")
            length = 0
            while (header := (await reader.readline()).decode().strip()) != "":
                if header.lower().startswith("content-length:"):
                    length = int(header.split(":")[1])
            digest = sha256()
            while length:
                got = await reader.read(min(length, 1 << 16))
                digest.update(got)
                length -= len(got)
            kind, _, size = target.strip("/").partition("/")
            if kind == "put":
                body = json.dumps({"digest": digest.hexdigest()}).encode()
                writer.write(_head(len(body), "application/json") + body)
            else:
                writer.write(_head(int(size), "text/plain" if kind == "text" else "application/octet-stream"))
                for left in range(int(size), 0, -len(PIECE)):
                    writer.write(PIECE[:left])
                    await writer.drain()
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _head(length: int, media_type: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nContent-Type: {media_type}\r\n\r\n".encode()


def expected(size: int) -> str:
    """The digest of a body."""
    digest = sha256()
    for left in range(size, 0, -len(PIECE)):
        digest.update(PIECE[:left])
    return digest.hexdigest()


# --- the flows


def flow(url: str, case: str, size: int) -> dict[str, Any]:
    """Gets a body, or makes one, and passes it on."""
    put = {"type": "Http", "inputs": {"method": "POST", "uri": f"{url}/put"}, "runAfter": {"get": S}}
    if case == "made":
        parts = ", ".join(["triggerBody()"] * max(1, size // 1_000_000))
        get: dict[str, Any] = {"type": "Compose", "inputs": f"@concat({parts}, '')"}
        put["inputs"]["body"] = "@outputs('get')"  # type: ignore[index]
    else:
        get = {"type": "Http", "inputs": {"method": "GET", "uri": f"{url}/{case}/{size}"}}
        put["inputs"]["body"] = "@body('get')"  # type: ignore[index]
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": {"get": get, "put": put}}


SMALL = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        f"c{number}": {"type": "Compose", "inputs": number, "runAfter": {f"c{number - 1}": S} if number else {}}
        for number in range(5)
    },
}


async def small_runs(env: Any, stop: asyncio.Event) -> list[float]:
    """How long each of many small runs took, one after the other, in milliseconds."""
    took = []
    while not stop.is_set():
        began = time.perf_counter()
        (run,) = await env.start("small")
        await run.wait()
        took.append((time.perf_counter() - began) * 1_000)
        await asyncio.sleep(0.02)
    return took


def told(took: list[float]) -> list[float]:
    return [round(median(took), 1), round(max(took), 1)]


async def measure(case: str, url: str, size: int, folder: Path) -> dict[str, Any]:
    async with sealflow.open(folder / "home", keystore=folder / "k" / "k.json") as engine:
        env = await engine.environment("bench")
        for name, definition in (("tiny", flow(url, case, 1_000)), ("large", flow(url, case, size)), ("small", SMALL)):
            await env.deploy(name, definition)
        body = (PIECE * 16)[:1_000_000].decode() if case == "made" else None
        (run,) = await env.start("tiny", body)
        await run.wait()
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(2, stop.set)
        alone = await small_runs(env, stop)
        base, began = megabytes(), time.perf_counter()
        stop = asyncio.Event()
        others = asyncio.ensure_future(small_runs(env, stop))
        (run,) = await env.start("large", body)
        status = await run.wait()
        seconds = time.perf_counter() - began
        stop.set()
        peak = megabytes()
        took = await others
        assert status == "Succeeded", status
        began, read = time.perf_counter(), 0
        async for piece in run.output("get"):
            read += len(piece)
        output_seconds, after = time.perf_counter() - began, megabytes()
        digest = b"".join([piece async for piece in run.output("put", at="/body/digest")]).decode()
        assert case == "made" or digest == expected(size)
        return {
            "mb": round(read / 1e6),
            "extra_mb": round(peak - base, 1),
            "base_mb": base,
            "extra_with_output_mb": round(after - base, 1),
            "seconds": round(seconds, 2),
            "output_seconds": round(output_seconds, 2),
            "others_ms": told(took),
            "alone_ms": told(alone),
        }


@asynccontextmanager
async def services() -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, "--serve", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    process.kill()
    await process.wait()


async def one(case: str, size: int, chunk: int | None) -> dict[str, Any]:
    if chunk is not None:  # other sizes than the one that is shipped, to choose by
        from sealflow.engine.runtime.calls import contents
        from sealflow.engine.runtime.runs import large_writes as heavy
        from sealflow.engine.runtime.runs import live_run as live
        from sealflow.storage.stores.runs import run_log, value_writing

        for module in (contents, heavy, live, run_log, value_writing):
            module.CHUNK_BYTES = chunk  # type: ignore[attr-defined]
        contents.RunContent.least = chunk
    with tempfile.TemporaryDirectory() as folder:
        async with services() as url:
            return await measure(case, url, size, Path(folder))


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("cases", nargs="*", default=list(CASES))
    arguments.add_argument("--mb", type=int, default=100)
    arguments.add_argument("--chunk", type=int, metavar="KIB")
    arguments.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.serve:
        asyncio.run(serve())
    elif given.one:
        chunk = given.chunk * 1024 if given.chunk else None
        print(json.dumps(asyncio.run(one(given.cases[0], given.mb * 1_000_000, chunk))))
    else:
        found = {}
        for case in given.cases:
            options = [case, "--one", "--mb", str(given.mb), *(["--chunk", str(given.chunk)] if given.chunk else [])]
            done = subprocess.run([sys.executable, __file__, *options], capture_output=True, text=True, check=True)
            found[case] = json.loads(done.stdout.splitlines()[-1])
        print(json.dumps({"benchmark": "large", **found}))


if __name__ == "__main__":
    main()
