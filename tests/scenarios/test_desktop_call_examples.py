"""The examples of calls and queues run with inputs that are made here, do what they say, and replay strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sealflow

DESKTOP = Path(__file__).resolve().parents[2] / "examples" / "desktop"


async def replayed(bundle: bytes) -> None:
    found = await sealflow.replay(bundle)
    assert found.differences == []
    assert found.actions > 0


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        (
            {"customer": "Contoso", "amount": 1250},
            200,
            {"letter": "Dear Contoso, 1,250.00 are open.", "tone": "friendly"},
        ),
        (
            {"customer": "Ada", "amount": 0.5, "days": 31},
            200,
            {"letter": "Dear Ada, 0.50 are open. Please pay within a week.", "tone": "firm"},
        ),
        ({"customer": "Ada", "amount": 0}, 422, {"reason": "Nothing is open for Ada."}),
    ],
)
async def test_a_cloud_flow_calls_a_desktop_flow(
    tmp_path: Path, body: dict[str, Any], status: int, answer: dict[str, Any]
) -> None:
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keystore.json") as engine:
        env = await engine.environment()
        await env.deploy("prepare_letter", DESKTOP / "prepare_letter.robin")
        (run,) = await env.start(await env.deploy("call", DESKTOP / "call_desktop_flow.json"), body)
        response = (await run.result()).response
        assert response is not None
        assert (response["statusCode"], response["body"]) == (status, answer)
        (child,) = await env.runs(flow="prepare_letter")
        for each in (run, await env.run(child.id)):
            await replayed(await each.export(plaintext=True))


async def test_the_items_of_a_queue_are_dealt_with(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keystore.json") as engine:
        env = await engine.environment()
        await env.queues.create("Refunds")
        for name, value in (
            ("R-1", {"customer": "Contoso", "amount": 80}),
            ("R-2", {"customer": "Fabrikam", "amount": 900}),
            ("R-3", {"customer": "Ada", "amount": "much"}),
            ("R-4", {"customer": "Ada"}),
            ("R-5", {"customer": "Bo", "amount": 19.5}),
        ):
            await env.queues.add("Refunds", name, value)
        flow = await env.deploy("queue_consumer", DESKTOP / "queue_consumer.robin")
        (run,) = await env.start(flow, {})
        result = await run.result()
        assert result.status == "Succeeded", result.error
        assert result.outputs is not None
        assert (float(result.outputs["Refunded"]), result.outputs["Refused"]) == (99.5, 3)
        assert {item.name: (item.status, item.result) for item in await env.queues.items("Refunds")} == {
            "R-1": ("Processed", "refunded"),
            "R-2": ("BusinessException", "above the limit of 100"),
            "R-3": ("GenericException", "no amount"),
            "R-4": ("GenericException", "no amount"),
            "R-5": ("Processed", "refunded"),
        }
        await replayed(await run.export(plaintext=True))
