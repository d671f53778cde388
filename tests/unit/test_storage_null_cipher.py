"""The suite that does nothing, by which sealing is measured, is no way into a store."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from customer_keys import ENVIRONMENT, customer
from sealflow.storage import NotARecord, TamperedHistory
from sealflow.storage.format.envelope import ScopeKey

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


async def test_what_it_wrote_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    place = await customer(tmp_path)
    run = b"r" * 16
    async with place.vault() as vault:
        with monkeypatch.context() as patch:
            for name in ("seal", "open", "link", "seal_page"):  # put back at the end
                patch.setattr(ScopeKey, name, getattr(ScopeKey, name))
            import_module("null_cipher").install()
            flow = await vault.put_flow("in the clear", {"v": 1})
            log = vault.create_run(run, flow.flow_id, 1, 5, {})
            log.append([["in the clear"]], status=2, ended_ms=9)
            await vault.flush()
            assert (await vault.version(flow.flow_id, 1)).document == {"v": 1}
            assert [page.records async for page in vault.read_run(run)] == [[["in the clear"]]]
    assert b"in the clear" in b"".join(path.read_bytes() for path in place.database().parent.glob("store.db*"))
    async with place.vault() as vault:
        with pytest.raises(NotARecord):
            await vault.flows()
        with pytest.raises(NotARecord):
            await vault.put_flow("in the clear", {"v": 2})
        with pytest.raises(TamperedHistory):
            await vault.run(run)
        with pytest.raises(TamperedHistory, match="record 0: the sealed head was altered"):
            await vault.open_run(run)
    async with place.administration() as administration:
        assert (await administration._store.environment(ENVIRONMENT)).name == ENVIRONMENT
