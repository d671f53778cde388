"""Acting as an administrator: the options that say who acts and in which roles, and the engine opened for it."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from .session import again, opened, wait_for

if TYPE_CHECKING:
    from ....storage import Administration
    from ..embedded import Engine

T = TypeVar("T")


class RoleChoice(StrEnum):
    """A role to act in alone."""

    key_administrator = "key-administrator"
    environment_administrator = "environment-administrator"


Who = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="NAME",
        help="Name of the administrator in the audit. Default: $SEALFLOW_ACTOR, or the system user.",
        show_default=False,
    ),
]
Role = Annotated[
    RoleChoice | None,
    typer.Option("--role", help="Use only this role. Default: both roles.", show_default=False),
]


@dataclass(frozen=True)
class Acting:
    """On which store a command acts, as whom and in which role."""

    home: Path | None
    name: str | None = None
    role: RoleChoice | None = None

    @asynccontextmanager
    async def opened(self, environment: str | None = None) -> AsyncIterator[tuple[Engine, Administration]]:
        """The engine, and the acts of this administrator on its store. `environment` is the one that is meant, for
        the error where there is no store at all.
        """
        from ...errors import NotFound
        from ..embedded import home_folder

        if environment is not None and not (home_folder(self.home) / "control.db").exists():
            raise NotFound(
                f"There is no store in {home_folder(self.home)} yet, and no environment '{environment}'.",
                hint=f"Make both: {again(f'env create {shlex.quote(environment)}', home=self.home)}",
            )
        async with opened(self.home) as engine:
            yield engine, self.administration(engine)

    def administration(self, engine: Engine) -> Administration:
        """The acts of this administrator on the store of an engine that is open."""
        from ....storage import Actor
        from ...runtime.keys.administration import actor_name

        actor = Actor(
            actor_name() if self.name is None else self.name,
            key_administrator=self.role is not RoleChoice.environment_administrator,
            environment_administrator=self.role is not RoleChoice.key_administrator,
        )
        return engine.administration(actor)

    def do(self, act: Callable[[Administration], Awaitable[T]]) -> T:
        """Carries out one act, and gives what comes of it."""

        async def work() -> T:
            async with self.opened() as (_, administration):
                return await act(administration)

        return wait_for(work())
