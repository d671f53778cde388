"""The idempotency keys of a run: the same whether its seed is hashed once for all of them or for each."""

from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st
from sealflow.engine.kernel.contract.randomness import Keys, draw, idempotency_key


@given(seed=st.binary(max_size=200), paths=st.lists(st.text(), min_size=1, max_size=4))
def test_a_run_gives_the_keys_that_its_seed_gives(seed: bytes, paths: list[str]) -> None:
    keys = Keys(seed)
    for path in paths * 2:
        assert keys.of(path) == idempotency_key(seed, path) == draw(seed, f"{path}\0key", 0, 16).hex()


def test_an_idempotency_key_stays_what_it_was() -> None:
    # Services tell repeated calls by it, across releases.
    label = b"/Scope/Send[3]\0key\0" + bytes(8)
    expected = hmac.digest(b"s" * 32, label, "sha256")[:16].hex()
    assert Keys(b"s" * 32).of("/Scope/Send[3]") == expected
