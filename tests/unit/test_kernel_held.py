"""A run that is held: its start is recorded, and nothing is decided before a tick lets it begin."""

from __future__ import annotations

from kernel_driver import Driver, compose
from sealflow.engine import kernel
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract import status, timing


def test_a_held_run_records_its_start_and_nothing_else() -> None:
    run = Driver({"a": compose("@utcNow()"), "b": compose(1, "a")}, pins={"held": True}).start()
    assert [record[1] for record in run.records] == [event.START]
    assert kernel.needs_tick(run.state)
    folded = kernel.State(run.plan)
    kernel.apply(run.plan, folded, run.records[0])
    assert kernel.dump(folded) == kernel.dump(run.state)


def test_it_begins_at_the_time_of_its_tick_and_replays() -> None:
    run = Driver({"a": compose("@utcNow()"), "b": compose(1, "a")}, pins={"held": True}).start()
    run.now += 3600 * 10_000_000
    run.run()  # checks folding, snapshots and replay
    assert run.status == "Succeeded"
    assert run.outputs("/a") == timing.iso(run.now)
    assert [record[1] for record in run.records[:2]] == [event.START, event.TICK]


def test_a_held_run_can_be_stopped() -> None:
    run = Driver({"a": compose(1)}, pins={"held": True}).start()
    run.feed(event.stop(run.now, status.CANCELLED, "Cancelled", "No more."))
    run.verify()
    assert run.status == "Cancelled"
    assert run.statuses == {"/a": "Skipped"}
