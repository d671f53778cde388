"""Writing what a customer's key seals where everybody can read it: an act on record, which takes a key administrator,
and a second one where the policy says so.

What is exported is not the affair of this file. Whoever has the environment open in a program of his own can write
down what he reads: that is no export, and nothing here stands in its way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from .administration import Administration, approvals_in

EXPORT: Final = "plaintext export"


@asynccontextmanager
async def exporting(administration: Administration, environment: str, what: str) -> AsyncIterator[None]:
    """Puts it on record that `what` (a run's id) is exported in this block. Of an environment without a policy it is
    nobody's affair. Raises NotPermitted, ApprovalNeeded, RecordNotFound.
    """
    async with administration.opened(environment, locked=True) as opened:
        info, covered, needed = opened.info, bool(opened.state.covers), approvals_in(opened.state)
    if not covered:
        yield
        return
    administration.need_key_administrator("export what the customer's key seals without encryption")
    detail = {"run": what}
    approved = await administration.approval(EXPORT, info, needed, detail)
    async with administration.act(EXPORT, info.name, detail, approved=approved):
        yield
