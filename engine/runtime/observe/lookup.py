"""Which run is meant: by its id, by the beginning of one, or the latest."""

from __future__ import annotations

from ....storage import CorruptRecord, RunInfo, Vault
from ....storage.stores.listings import split
from ...errors import NotFound
from ..history.reading import run_info

_HINT = "`sealflow runs list` shows the runs."


async def find_run(vault: Vault, name: str) -> RunInfo:
    """The run of an id (with or without hyphens), of an unambiguous beginning of one, or `latest`. Raises NotFound."""
    if name == "latest":
        return await _latest(vault)
    text = name.replace("-", "").lower()
    if not text or any(digit not in "0123456789abcdef" for digit in text) or len(text) > 32:
        raise NotFound(f"'{name}' is not the id of a run.", hint=_HINT)
    if len(text) == 32:
        return await run_info(vault, bytes.fromhex(text))
    before: bytes | None = None
    matches: list[RunInfo | CorruptRecord] = []
    while page := await vault.listings.runs(limit=200, before=before):
        matches += [each for each in page if _id(each).hex().startswith(text)]
        before = _id(page[-1])
    if len(matches) != 1:
        reason = f"{len(matches)} runs begin with" if matches else "There is no run that begins with"
        raise NotFound(f"{reason} '{name}'.", hint=_HINT)
    return split(matches, None)[0]


async def _latest(vault: Vault) -> RunInfo:
    """The run that was started last, not counting those that flows start. Raises the error of a later one that does not
    open: it may be that.
    """
    before: bytes | None = None
    while page := await vault.listings.runs(limit=30, before=before):
        for each in page:
            (info,) = split([each], None)
            if info.parent is None:
                return info
        before = _id(page[-1])
    raise NotFound("There are no runs in this environment yet.")


def _id(each: RunInfo | CorruptRecord) -> bytes:
    return each.id if isinstance(each, CorruptRecord) else each.run_id
