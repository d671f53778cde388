"""The calls of one run: made when their commands are durable, and taken over after a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...kernel import Invoke, Large
from ...kernel.contract import records as event
from ..calls.answering import answer_of_call, goes_outside
from ..calls.outgoing import Outgoing, before
from ..history.reading import load_part

if TYPE_CHECKING:
    from ..calls.dispatch import Answer
    from .live_run import LiveRun
    from .tasks import RunTasks


class RunCalls:
    """Makes the calls of one run in its tasks. It holds no reference to the run, which would be a cycle."""

    __slots__ = ("_tasks",)

    def __init__(self, tasks: RunTasks) -> None:
        self._tasks = tasks

    def make(self, run: LiveRun, command: Invoke) -> None:
        """Make a call whose command is durable."""
        key = (command.node.index, command.it)
        if run.state.end is None:
            if command.unsubscribes:
                self._tasks.give_up(key)  # a timer of the time before
            elsewhere = isinstance(command.inputs, Large) or run.state.apart
            if goes_outside(run, command) and not elsewhere:
                self._make(run, command)
            else:
                run.executor.desktop_calls.watch(run, command, self._tasks.spawn(self._invoke(run, command), key))
        elif command.unsubscribes and run.simulation is None:
            run.executor.background.unsubscribe(command)

    async def _invoke(self, run: LiveRun, command: Invoke) -> None:
        node, it, attempt = command.node.index, command.it, command.attempt
        if isinstance(command.inputs, Large):
            command.inputs = await load_part(run.log, command.inputs)
        if run.state.apart and (run.simulation is not None or not run.executor.performer.streams(command)):
            command.inputs = await run.log.whole(command.inputs)
        if goes_outside(run, command):
            self._make(run, command)
            return
        if command.deadline is None or run.simulation is not None:
            answer: Answer | None = await answer_of_call(run, command)
        else:
            answer = await before(command.deadline, answer_of_call(run, command), run.executor.clock)
        if answer is None:
            run.feed(event.deadline(node, it, attempt, run.now()))
        else:
            run.feed(event.result(node, it, attempt, run.now(), *answer))

    def _make(self, run: LiveRun, command: Invoke) -> None:
        executor = run.executor
        self._tasks.call(Outgoing(run, run.log.run_id, command, executor.performer, executor.clock))

    def outlived(self, run: LiveRun, command: Invoke) -> bool:
        """Whether the call was not given up by a lock: its answer was kept, or it is under way still."""
        name, underway = (run.log.run_id, command.key, command.attempt), run.executor.underway
        if underway.is_answered(name):
            return True  # it comes with the inbox
        call = underway.take(name)
        if call is not None:
            call.run = run
            self._tasks.call(call)
        return call is not None
