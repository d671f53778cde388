"""Until when an action's outputs can be named: found once, when a plan is built, from what its expressions read.

Whoever reads an action's outputs stands beside it or beside a container around it, or inside of one of these. That
neighbour - the anchor - ends once in each iteration, and after it the reader cannot run again in there. When all
anchors of an action have ended in an iteration, its outputs there are of no use to anybody. `Node.releases` says of an
anchor which actions it is one of, and how many they have. A Foreach that only reads them for its items is done with
them when it starts; where it never does they stay.

Where that is not so plain the outputs stay until the iteration ends: when an expression computes a name, when an
Until's condition or an action behind the Until reads them (the last iteration's outputs outlive it), and in the
iterations of a Foreach whose values are read from outside. What such a Foreach gathers is let go like the outputs of an
action that stands in the Foreach's place.
"""

from __future__ import annotations

from .plan import FOREACH, Box, Node, Plan

Anchors = dict[int, bool]
"""The anchors of one action, each with whether only its own expression reads: a Foreach does once, for its items."""


def link(plan: Plan) -> None:
    """Fill in `releases` of all nodes from `plan.reads`."""
    if plan.computes_names:
        return
    anchors: dict[int, Anchors] = {}
    gathered: dict[int, Anchors] = {}
    pinned: set[int] = set()
    lists_pinned: set[int] = set()
    for reader_index, target_index, inside in plan.reads:
        reader, target = plan.nodes[reader_index], plan.nodes[target_index]
        if inside and reader in target.loops:
            pinned.add(target_index)
            continue
        depth = _shared(reader, target)
        if depth == len(target.loops):
            _note(anchors.setdefault(target_index, {}), reader, target)
            continue
        pinned.add(target_index)
        loop = next((loop for loop in target.loops[depth:] if loop.op == FOREACH), None)
        if loop is not None and depth == len(loop.loops):
            _note(gathered.setdefault(target_index, {}), reader, loop)
        else:
            lists_pinned.add(target_index)
    _fill(plan, {target: found for target, found in anchors.items() if target not in pinned})
    _fill(plan, {target: found for target, found in gathered.items() if target not in lists_pinned})


def pin(plan: Plan, box: Box) -> None:
    """Keep what these actions produce until their iteration ends: `result()` of the loop around them collects it.

    An action that is read by an Until's condition is kept as long.
    """
    owner = box.owner
    assert owner is not None  # noqa: S101
    plan.reads.update((owner.index, node.index, True) for node in box.nodes)


def _note(anchors: Anchors, reader: Node, target: Node) -> None:
    anchor = _anchor(reader, target)
    early = reader is anchor and reader.op == FOREACH
    anchors[anchor.index] = early and anchors.get(anchor.index, True)


def _fill(plan: Plan, anchors: dict[int, Anchors]) -> None:
    for target, found in sorted(anchors.items()):
        for anchor, early in found.items():
            node = plan.nodes[anchor]
            if early:
                node.releases_early = (*node.releases_early, (target, len(found)))
            else:
                node.releases = (*node.releases, (target, len(found)))


def _shared(reader: Node, target: Node) -> int:
    """How many loops, from the outermost on, are around both."""
    count = 0
    for mine, other in zip(reader.loops, target.loops, strict=False):
        if mine is not other:
            break
        count += 1
    return count


def _anchor(reader: Node, target: Node) -> Node:
    """The action beside `target`, or beside a container around it, that is the reader or holds it."""
    beside: set[int] = set()
    box: Box | None = target.box
    while box is not None:
        beside.add(box.index)
        box = box.owner.box if box.owner is not None else None
    anchor = reader
    while anchor.box.index not in beside:
        assert anchor.box.owner is not None  # noqa: S101
        anchor = anchor.box.owner
    return anchor
