"""A worker that has nothing to do looks less often, where it is given hints."""

from __future__ import annotations

from sealflow.engine.runtime.workers.polling import LONG, QUIET_LOOKS, Looking


def test_who_has_nothing_to_do_looks_less_often() -> None:
    looking = Looking()
    for _ in range(QUIET_LOOKS):
        assert looking.pause(0.2, hinted=True) == 0.2
        looking.looked(busy=False)
    assert looking.pause(0.2, hinted=True) == LONG
    looking.looked(busy=True)
    assert looking.pause(0.2, hinted=True) == 0.2


def test_who_gets_no_hints_looks_as_often_as_ever() -> None:
    looking = Looking()
    for _ in range(2 * QUIET_LOOKS):
        looking.looked(busy=False)
    assert looking.pause(0.2, hinted=False) == 0.2
