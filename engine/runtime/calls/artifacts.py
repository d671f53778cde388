"""The map or schema that a call works with, found among those its flow's version was deployed with.

Texts of artifacts are put into the call when it is made and are never recorded: the version holds them, sealed.
"""

from __future__ import annotations

from difflib import get_close_matches

from ....connectors import Artifact, ConnectorError
from ...cloud.artifacts import find, reference_in
from ...kernel import Invoke


def is_missing(command: Invoke) -> bool:
    """Whether the action names an artifact that is not there."""
    try:
        artifact_of(command)
    except ConnectorError:
        return True
    return False


def artifact_of(command: Invoke) -> Artifact | None:
    """The artifact that the action names; None for actions that have none.

    Raises ConnectorError `ArtifactNotFound` where it is not there, with the name that is most like it.
    """
    named = reference_in(command.node.type, command.inputs)
    if named is None:
        return None
    artifacts = command.context.plan.artifacts
    texts = artifacts.get(named.kind, {})
    name = str(named.name or "")
    found = find(artifacts, named.kind, name)
    if found is None:
        near = get_close_matches(name.lower(), {each.lower(): each for each in texts}, n=1)
        raise ConnectorError(
            "ArtifactNotFound",
            f"There is no '{name}' among the {named.kind} that the flow was deployed with.",
            hint=f"Did you mean '{near[0]}'?" if near else "Deploy the flow with it: --artifacts DIR.",
        )
    return Artifact(found, texts[found], {each.lower(): text for each, text in texts.items()})
