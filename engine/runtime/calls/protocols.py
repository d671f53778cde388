"""What calls need of the runs that make them, and of the worker that drives these runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from ....storage import RunLog, Vault
from ...kernel import Invoke, Open, Plan, State
from ...kernel.contract.operations import Operation
from ..flows.library import Flow, Library
from ..flows.start import Start
from .dispatch import Answer, Performer
from .outgoing import ActionKey, Caller
from .simulation import Simulation


class CallingRun(Caller, Protocol):
    """A run in memory that makes calls. `responded` is set with its response, with its end, and when it stops here.

    `far` are its calls of flows whose runs are not in memory; `simulated` counts the simulated calls of each action.
    """

    far: set[ActionKey]
    simulated: dict[str, int]

    @property
    def id(self) -> str:
        """The run's name."""
        ...

    @property
    def plan(self) -> Plan:
        """The plan of its flow."""
        ...

    @property
    def state(self) -> State:
        """What it has decided."""
        ...

    @property
    def log(self) -> RunLog:
        """Its history."""
        ...

    @property
    def simulation(self) -> Simulation | None:
        """Its simulation, where it is a simulated run."""
        ...

    @property
    def routes(self) -> Routes:
        """Who answers its calls."""
        ...

    @property
    def responded(self) -> asyncio.Event:
        """Set when whoever waits for its response can look."""
        ...

    @property
    def failure(self) -> Exception | None:
        """Why it stopped here, where it did not end."""
        ...

    @property
    def aside(self) -> bool:
        """Whether it sleeps, or runs elsewhere."""
        ...

    @property
    def expires(self) -> int:
        """When it has to have ended, in ticks."""
        ...

    def expire(self) -> None:
        """End it because of that limit."""
        ...

    def doze(self) -> None:
        """Evict it, if only time or an event continues it."""
        ...

    async def settled(self) -> None:
        """Return when all events that it was given are decided and queued."""
        ...

    def call_back(self, entry: Open, answer: Answer) -> None:
        """Take in the callback of an open action."""
        ...

    def with_result(self, command: Invoke, effect: Callable[[], None]) -> None:
        """Carry out `effect` in the commit of this call's result."""
        ...


class MessageSending(Protocol):
    """Sends messages to batches."""

    async def send(self, run: CallingRun, command: Invoke) -> Answer:
        """Return the outcome of an action that sends a message."""
        ...


class FlowCalls(Protocol):
    """Calls flows. The outcome is None where a simulation has no such flow."""

    async def call(self, parent: CallingRun, command: Invoke) -> Answer | None:
        """Return the outcome of an action that calls a flow."""
        ...


class DesktopFlowCalls(FlowCalls, Protocol):
    """Calls desktop flows."""

    def covers(self, operation: Operation) -> bool:
        """Return whether this operation calls a desktop flow."""
        ...

    def watch(self, parent: CallingRun, command: Invoke, task: asyncio.Task[None]) -> None:
        """Cancel the called run when the call is given up."""
        ...


class QueueAnswers(Protocol):
    """Carries out the actions of work queues."""

    async def answer(self, run: Any, command: Invoke) -> Answer:
        """Return the outcome of such an action."""
        ...


class CallbackClosing(Protocol):
    """Closes the callbacks of actions."""

    async def close(self, run: CallingRun, entry: Open) -> bool:
        """Return whether an action ends because its limit has lapsed, rather than by a callback that was accepted."""
        ...


class Routes(Protocol):
    """Who answers the calls of runs: one property for each kind of call."""

    @property
    def batches(self) -> MessageSending:
        """Messages to batches."""
        ...

    @property
    def children(self) -> FlowCalls:
        """Child flows."""
        ...

    @property
    def desktop_calls(self) -> DesktopFlowCalls:
        """Desktop flows."""
        ...

    @property
    def queue_actions(self) -> QueueAnswers:
        """Work queues."""
        ...

    @property
    def callbacks(self) -> CallbackClosing:
        """Callbacks."""
        ...

    @property
    def performer(self) -> Performer:
        """Connectors."""
        ...


class RunsAtHand(Protocol):
    """Brings runs into memory to give them something."""

    @property
    def vault(self) -> Vault:
        """The environment's store."""
        ...

    @property
    def library(self) -> Library:
        """The environment's flows."""
        ...

    def at_hand(self, run_id: bytes) -> AbstractAsyncContextManager[CallingRun | None]:
        """Return a run that takes in at once what it is given; None where it has ended."""
        ...


class News(Protocol):
    """Who waits for signals to runs."""

    @property
    def active(self) -> bool:
        """Whether this worker claims runs by itself."""
        ...

    def news(self, run_id: bytes) -> asyncio.Event:
        """Return what is set when this run is next signalled."""
        ...


class StartGuard(Protocol):
    """Says which flows must not start."""

    async def refuse(self, flow: Flow, plan: Plan) -> None:
        """Raise SealflowError where a flow must not start now."""
        ...


class Starting(Protocol):
    """Starts runs."""

    async def start(self, start: Start) -> CallingRun:
        """Start a run, or return the one that has this id."""
        ...


class ChildRuns(Protocol):
    """Starts the runs of child flows, and finds them. `live` are the runs in memory."""

    @property
    def vault(self) -> Vault:
        """The environment's store."""
        ...

    @property
    def library(self) -> Library:
        """The environment's flows."""
        ...

    @property
    def live(self) -> Mapping[bytes, CallingRun]:
        """The runs in memory, by id."""
        ...

    @property
    def claims(self) -> News:
        """Who waits for signals to runs."""
        ...

    @property
    def triggers(self) -> StartGuard:
        """Which flows must not start."""
        ...

    @property
    def starter(self) -> Starting:
        """What starts runs."""
        ...

    async def resume(self, run_id: bytes) -> CallingRun | None:
        """Bring an unfinished run into memory; None where it has ended."""
        ...

    async def lead(self) -> bool:
        """Become the worker that leads, if no other one is. Return whether this one is."""
        ...
