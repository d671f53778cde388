"""The package's public names."""

from __future__ import annotations

import sealflow


def test_every_public_name_loads() -> None:
    assert [name for name in sealflow.__all__ if not hasattr(sealflow, name)] == []
