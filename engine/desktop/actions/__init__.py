"""The pure actions of desktop flows, by id. Each module has a table `ACTIONS`, which is added here."""

from __future__ import annotations

from typing import Final

from .messages import ACTIONS as MESSAGES
from .moments import ACTIONS as MOMENTS
from .port import PureAction
from .testing import ACTIONS as TESTING
from .text import ACTIONS as TEXT
from .text_entities import ACTIONS as ENTITIES
from .text_find import ACTIONS as TEXT_FIND
from .variable_filters import ACTIONS as FILTERS
from .variable_lists import ACTIONS as LISTS
from .variable_objects import ACTIONS as OBJECTS
from .variable_table_text import ACTIONS as TABLE_TEXT
from .variable_tables import ACTIONS as TABLES
from .variables import ACTIONS as VARIABLES

_ACTIONS: Final[dict[str, PureAction]] = {
    **VARIABLES,
    **LISTS,
    **TABLES,
    **FILTERS,
    **TABLE_TEXT,
    **OBJECTS,
    **TEXT,
    **TEXT_FIND,
    **ENTITIES,
    **MOMENTS,
    **MESSAGES,
    **TESTING,
}


def pure_action(id: str) -> PureAction | None:
    """The pure action of this id, in any case; None where the action is none, or is not there."""
    return _ACTIONS.get(id.lower())


def pure_ids() -> frozenset[str]:
    """The canonical ids of all pure actions."""
    return frozenset(action.id for action in _ACTIONS.values())
