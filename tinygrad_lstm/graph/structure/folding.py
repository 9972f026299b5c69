"""Scopes as single marks: those that are asked for, those of a level, and as many as it takes to stay legible.

Folding maps marks to groups and keeps every edge between two of them. What is within a group is gone, and with it the
weights that nothing else uses. No group reads itself by way of another: such a one is parted into as many as it takes,
each a stretch of the tape.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from ..view import Level
from .ir import Graph, Mark
from .recurrence import step_of
from .simplify import weights

__all__ = [
    "Group",
    "Groups",
    "Path",
    "chosen",
    "counted",
    "fold",
    "fresh",
    "in_order",
    "leaves",
    "matching",
    "once",
    "opened",
    "visible",
    "within",
]

FIRST = 2
"""So many steps of a long recurrence are shown at its beginning, and as many at its end."""

ALIKE = 3
"""So many scopes alike, one after another, are shown as one where there are too many marks."""

FEW = 4
"""More inputs alike than this are shown as one where only a folded scope reads them; those with a name always are."""

Path: TypeAlias = "tuple[str, ...]"
"""The names of a scope and of those around it, outermost first."""


class Group(NamedTuple):
    """Marks that are to be one.

    Attributes
    ----------
    path
        The scope that they are.
    calls
        What tells it from others of the same path.
    times
        Of how many things alike this is all; 0 if it is not said.
    """

    path: Path
    calls: tuple[int, ...] = ()
    times: int = 0


Groups: TypeAlias = dict[int, Group]
"""For each computed mark that is folded, by its id, the group that it belongs to."""


# Which marks belong together


def chosen(graph: Graph, level: Level, fold: Sequence[str], unfold: Sequence[str]) -> Groups:
    """Return the groups of a level, and those that are asked for by the ends of their paths.

    At the level ``"cell"`` each step is one, at ``"module"`` each module within the outermost one.
    """
    open_paths, folded_paths = opened(graph, unfold), matching(graph, "fold", fold)
    root = _root(graph)

    def is_folded(path: Path) -> bool:
        if path in open_paths:
            return False
        by_level = (level == "cell" and step_of(path[-1:]) is not None) or (level == "module" and len(path) > root)
        return by_level or path in folded_paths

    groups = _grouped(graph, is_folded)
    return _one_for_each_module(graph, groups) if level == "module" else groups


def _one_for_each_module(graph: Graph, groups: Groups) -> Groups:
    """Return the groups with those joined that are many calls of one module: of one name and one set of weights."""
    weights_of: dict[Group, set[int]] = {}
    for mark in graph:
        if mark.id in groups:
            leaves = {i for i in mark.sources if graph[i].is_parameter}
            weights_of.setdefault(groups[mark.id], set()).update(leaves)
    calls: dict[tuple[Path, frozenset[int]], list[Group]] = {}
    for group, leaves in weights_of.items():
        calls.setdefault((group.path, frozenset(leaves)), []).append(group)
    joined = {
        group: same[0]._replace(times=len(same))
        for (_, leaves), same in calls.items()
        for group in same
        if leaves and len(same) > FEW
    }
    return {id: joined.get(group, group) for id, group in groups.items()}


def opened(graph: Graph, unfold: Sequence[str]) -> set[Path]:
    """Return the scopes that stay open: what was asked for, and those around it."""
    return {path[: depth + 1] for path in matching(graph, "unfold", unfold) for depth in range(len(path))}


def matching(graph: Graph, option: str, ends: Sequence[str]) -> set[Path]:
    """Return the scopes whose paths end in one of some texts, each of which must be the end of one."""
    if not ends:
        return set()
    scopes = {mark.scope for mark in graph}
    paths = sorted({path[:depth] for path in scopes for depth in range(1, len(path) + 1)})
    found: set[Path] = set()
    for end in ends:
        alike = [path for path in paths if f"/{'/'.join(path)}".endswith(f"/{end}")]
        if not alike:
            there = ", ".join("/".join(path) for path in paths[:12]) or "none"
            raise ValueError(f"draw: got {option}={end!r}, wanted the end of a scope's path; there are {there}.")
        found.update(alike)
    return found


def _root(graph: Graph) -> int:
    """Return how many scopes are around everything that has one, less the innermost if nothing there has another."""
    scopes = {mark.scope for mark in graph if mark.scope}
    if not scopes:
        return 0
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(min(scopes), max(scopes), strict=False))
    around = list(itertools.takewhile(lambda pair: step_of(pair[:1]) is None, pairs))
    return len(around) - (len(scopes) == 1)


def _grouped(graph: Graph, is_folded: Callable[[Path], bool]) -> Groups:
    """Return for each mark the outermost of its scopes that is folded."""
    known: dict[tuple[Path, tuple[int, ...]], Group | None] = {}
    groups: Groups = {}
    for mark in graph:
        key = mark.scope, mark.calls
        if key not in known:
            depth = next((d for d in range(1, len(mark.scope) + 1) if is_folded(mark.scope[:d])), 0)
            known[key] = _group(mark, depth) if depth else None
        if (group := known[key]) is not None:
            groups[mark.id] = group
    return groups


def _group(mark: Mark, depth: int) -> Group:
    """Return a scope around a mark as a group: each of its calls is one, but not those that are steps of a loop."""
    is_looped = step_of(mark.scope[depth : depth + 1]) is not None and depth == len(mark.calls)
    return Group(mark.scope[:depth], mark.calls[: depth - is_looped])


# Budgets


def visible(graph: Graph) -> int:
    """Return how many marks there are to be seen: numbers are part of the ops that use them."""
    return sum(not mark.is_number for mark in graph)


def within(graph: Graph, limit: int, unfold: Sequence[str] = ()) -> tuple[Graph, str]:
    """Return the graph with no more marks than a limit, as far as folding helps, and a word on what was folded.

    First the middle steps of long recurrences become one mark. Then the deepest scopes are folded; and where many alike
    follow one another, they are one. The scopes to ``unfold`` stay open.
    """
    if visible(graph) <= limit:
        return graph, ""
    learned = weights(graph)
    groups: Groups = {}
    for groups in _plans(graph, opened(graph, unfold)):
        if _left(graph, groups, learned) <= limit:
            break
    return fold(graph, groups), _told(graph, groups)


def _plans(graph: Graph, keep: Collection[Path]) -> Iterator[Groups]:
    """Give ways to fold a graph, each leaving less than the one before."""
    middle: Groups = {}
    for first in range(FIRST, 0, -1):
        middle = _middle_steps(graph, first, keep)
        yield middle
    for depth in range(max(len(mark.scope) for mark in graph), 0, -1):
        deep = _grouped(graph, lambda path, depth=depth: len(path) == depth and path not in keep)  # type: ignore[misc]
        yield _outer(middle, deep)
        yield _outer(middle, _repeated(graph, deep))


def _outer(one: Groups, other: Groups) -> Groups:
    """Return the groups of both; a mark that is in two is in the outer one, or the one that is more."""
    both = one | other
    for id in one.keys() & other.keys():
        both[id] = min(one[id], other[id], key=lambda group: (len(group.path), -group.times))
    return both


def _middle_steps(graph: Graph, first: int, keep: Collection[Path]) -> Groups:
    """Return groups for the steps of long recurrences, but for the first ones and the last.

    Where a program does more in its loop than to call a cell, that belongs to the step: a step goes on until the next.
    """
    groups: Groups = {}
    end_of_last = 0
    for steps in _recurrences(graph).values():
        starts = [start for _, start in steps]
        middle = range(first, len(steps) - first)
        shown = [place for place in middle if steps[place][0] in keep]
        for before, after in itertools.pairwise([middle.start - 1, *shown, middle.stop]):
            places = range(before + 1, after)
            if len(places) > 1 and starts[places[0]] >= end_of_last:
                end_of_last = starts[after]
                path = _spanned(steps[places[0]][0], steps[places[-1]][0])
                inside = graph.marks[starts[places[0]] : end_of_last]
                group = Group(path, (*inside[0].calls[: len(path) - 1], -end_of_last), len(places))
                groups |= {mark.id: group for mark in inside if not mark.stored}
    return groups


def _spanned(first: Path, last: Path) -> Path:
    """Return the name of the scopes from one to another.

    >>> _spanned(("l0", "t=3"), ("l0", "t=58"))
    ('l0', 't=3…58')
    """
    step = step_of(last[-1:])
    return (*first[:-1], f"{first[-1]}…{last[-1] if step is None else step}")


def _recurrences(graph: Graph) -> dict[Hashable, list[tuple[Path, int]]]:
    """Return the steps of each recurrence, in the order of the tape, with the place where each begins."""
    found: dict[Hashable, dict[Path, int]] = {}
    for place, mark in enumerate(graph):
        if mark.stored or step_of(mark.scope) is None:
            continue
        depth = next(depth for depth, name in enumerate(mark.scope) if step_of([name]) is not None)
        around = _group(mark, depth) if depth else None
        found.setdefault(around, {}).setdefault(mark.scope[: depth + 1], place)
    return {around: list(steps.items()) for around, steps in found.items()}


def _repeated(graph: Graph, groups: Groups) -> Groups:
    """Return the groups with those joined that follow one another, in one scope, and are alike."""
    contents: dict[Group, list[Hashable]] = {}
    order: list[Group | None] = []
    for mark in graph:
        if mark.stored:
            continue
        group = groups.get(mark.id)
        if group is not None:
            contents.setdefault(group, []).append((mark.op, mark.shape, mark.folded))
        if not order or group != order[-1]:
            order.append(group)
    met = Counter(order)
    joined: dict[Group, Group] = {}
    for key, run in itertools.groupby(order, lambda group: _kind(group, contents) if met[group] == 1 else None):
        alike = [group for group in run if group is not None]
        if key is not None and len(alike) >= ALIKE:
            whole = Group(_spanned(alike[0].path, alike[-1].path), alike[0].calls, len(alike))
            joined |= dict.fromkeys(alike, whole)
    return {id: joined.get(group, group) for id, group in groups.items()}


def _kind(group: Group | None, contents: Mapping[Group, list[Hashable]]) -> Hashable:
    """Return what is the same for all groups of a scope that are alike."""
    return None if group is None else (group.path[:-1], group.calls[: len(group.path) - 1], *contents[group])


def _told(graph: Graph, groups: Groups) -> str:
    """Return what is folded, in words."""
    spans = dict.fromkeys("/".join(group.path) for group in groups.values() if group.times)
    scopes = len({group for group in groups.values() if not group.times})
    told = [*itertools.islice(spans, 3), *(["…"] if len(spans) > 3 else [])]
    if scopes:
        told.append(f"{scopes} scope{'s' if scopes > 1 else ''}")
    return f"folded: {', '.join(told)}" if told else ""


# What becomes of the graph


def fold(graph: Graph, groups: Groups, inner: set[int] | None = None) -> Graph:
    """Return the graph with each group as one mark.

    What is stored and read by one group alone is part of it if it is ``inner``: by default, if it is a weight.
    """
    if not groups:
        return graph
    tape = graph if graph.record is None else Graph(tuple(graph.record.marks.values()))
    learned = weights(tape)
    groups = _untangled(graph, groups)
    images = _images(graph, groups, weights(graph) if inner is None else inner)
    members: dict[Hashable, list[Mark]] = {}
    for mark in graph:
        members.setdefault(images[mark.id], []).append(mark)
    shown = {image: _shown(graph, marks, images) for image, marks in members.items()}
    ids = {mark.id: shown[images[mark.id]].id for mark in graph}
    marks = []
    for image, inside in members.items():
        mark = shown[image]
        if isinstance(image, Group):
            mark = _folded(image, mark, inside, ids)
            computed = [part for part in inside if not part.stored]
            note = computed[0].note if len(computed) == 1 else ""
            mark = replace(mark, note=note or counted(tape, mark.parts, learned))
        elif len(inside) > 1:
            # no value and no gradient is that of all of them
            mark = replace(mark, parts=tuple(part.id for part in inside), times=len(inside), value=None, record=None)
        else:
            mark = replace(mark, inputs=tuple(None if i is None else ids[i] for i in mark.inputs))
        marks.append(mark)
    return Graph(tuple(in_order(marks)))


def once(graph: Graph) -> Graph:
    """Return the graph with one line from what is folded to each of its users, however many tensors it gives them."""
    marks = []
    for mark in graph:
        seen: set[int] = set()
        read = []
        for i in mark.inputs:
            if i is None or i not in seen or graph[i].folded is None:
                read.append(i)
            if i is not None:
                seen.add(i)
        marks.append(mark if len(read) == len(mark.inputs) else replace(mark, inputs=tuple(read)))
    return Graph(tuple(marks))


def _images(graph: Graph, groups: Groups, inner: set[int]) -> dict[int, Hashable]:
    """Return for each mark what it becomes part of: a group, inputs that are alike, or nothing but itself."""
    images: dict[int, Hashable] = {mark.id: groups.get(mark.id, mark.id) for mark in graph}
    alike: dict[Hashable, list[int]] = {}
    for mark in graph:
        readers = {images[user.id] for user in graph.uses[mark.id]} if mark.stored else set()
        reader = readers.pop() if len(readers) == 1 else None
        if isinstance(reader, Group):
            if mark.id in inner or mark.is_number:
                images[mark.id] = reader
            else:
                alike.setdefault((reader, mark.label, mark.shape, mark.op), []).append(mark.id)
    for key, ids in alike.items():
        if len(ids) > FEW or (len(ids) > 1 and graph[ids[0]].label):
            images |= dict.fromkeys(ids, key)
    return images


def fresh(graph: Graph) -> set[int]:
    """Return the states of zeros, with which layers begin by themselves."""
    states = (mark for mark in graph if mark.op == "constant" and mark.label in ("c", "h") and mark.value is not None)
    return {mark.id for mark in states if not mark.value.any()}


def _left(graph: Graph, groups: Groups, learned: set[int]) -> int:
    """Return how many marks are to be seen with some groups folded."""
    images = _images(graph, groups, learned)
    return len({images[mark.id] for mark in graph if not mark.is_number or isinstance(images[mark.id], Group)})


def _shown(graph: Graph, members: Sequence[Mark], images: Mapping[int, Hashable]) -> Mark:
    """Return the mark whose value is that of all: the last one that is used outside, or else the last."""
    image = images[members[0].id]
    outputs = (m for m in reversed(members) if any(images[user.id] != image for user in graph.uses[m.id]))
    return next(outputs, members[-1])


def _folded(group: Group, output: Mark, inside: Sequence[Mark], ids: Mapping[int, int]) -> Mark:
    """Return the mark of a group."""
    read = [ids[i] for mark in inside for i in mark.sources]
    parts = sorted({part for mark in inside for part in mark.parts or (mark.id,)})
    around, name = group.path[:-1], group.path[-1]
    return replace(
        output, op="scope", label=None, scope=around, calls=group.calls[: len(around)], params=(), parts=tuple(parts),
        inputs=tuple(i for i in dict.fromkeys(read) if i != output.id), folded=name, times=group.times,
    )  # fmt: skip


def counted(tape: Graph, parts: Iterable[int], learned: Collection[int]) -> str:
    """Return how many ops and parameters there are among marks of the tape, in words.

    Parameters
    ----------
    tape
        Where nothing is folded.
    parts
        The marks; the parameters that they depend on alone count with them.
    learned
        The weights on the tape.
    """
    inside = [tape[part] for part in parts]
    ops = [mark.op for mark in inside if not mark.stored]
    size = sum(math.prod(tape[leaf].shape) for leaf in leaves(tape, parts, learned))
    told = [ops[0] if len(ops) == 1 else f"{len(ops):,} ops"] if ops else []
    return ", ".join([*told, f"{size:,} parameter{'s' if size > 1 else ''}"] if size else told)


def leaves(graph: Graph, ids: Iterable[int], learned: Collection[int]) -> set[int]:
    """Return the parameters among some marks, and those that they read by way of weights alone."""
    waiting = [i for id in ids for i in (id, *graph[id].sources) if i in learned]
    seen: set[int] = set()
    while waiting:
        id = waiting.pop()
        if id not in seen:
            seen.add(id)
            waiting.extend(graph[id].sources)
    return {id for id in seen if graph[id].is_parameter}


def in_order(marks: Sequence[Mark]) -> Iterator[Mark]:
    """Give marks in an order in which they can be computed, that of the tape where it is one."""
    place = {mark.id: min(mark.parts, default=mark.id) for mark in marks}
    by_id = {mark.id: mark for mark in marks}
    missing = {mark.id: len(set(mark.sources)) for mark in marks}
    users: dict[int, list[int]] = {}
    for mark in marks:
        for source in set(mark.sources):
            users.setdefault(source, []).append(mark.id)
    ready = [(place[id], id) for id, count in missing.items() if count == 0]
    heapq.heapify(ready)
    for _ in marks:
        _, id = heapq.heappop(ready)  # an error if they read each other in a circle, or what is not there
        yield by_id[id]
        for user in users.get(id, ()):
            missing[user] -= 1
            if missing[user] == 0:
                heapq.heappush(ready, (place[user], user))


# No cycles


def _untangled(graph: Graph, groups: Groups) -> Groups:
    """Return the groups with those parted that read themselves by way of others."""
    reads: dict[Hashable, dict[Hashable, None]] = {}
    for mark in graph:
        image: Hashable = groups.get(mark.id, mark.id)
        sources = reads.setdefault(image, {})
        sources.update(dict.fromkeys(groups.get(i, i) for i in mark.sources))
        sources.pop(image, None)
    tangled = _in_cycles(reads)
    if not tangled:
        return groups
    parted: Groups = {}
    part, last = 0, None
    for mark in graph:
        group = groups.get(mark.id)
        if not mark.stored and group != last:
            part, last = part + 1, group
        if group is not None:
            piece = group._replace(calls=(*group.calls, -part), times=0)
            parted[mark.id] = piece if group in tangled else group
    return parted


def _in_cycles(reads: Mapping[Hashable, Iterable[Hashable]]) -> set[Hashable]:
    """Return what is in a cycle, or between two: what neither the beginnings nor the ends lead to."""
    left = dict(reads)
    for _ in range(2):
        users: dict[Hashable, list[Hashable]] = {node: [] for node in left}
        for node, sources in left.items():
            for source in sources:
                if source in left:
                    users[source].append(node)
        missing = Counter(user for node in left for user in users[node])
        ready = [node for node in left if not missing[node]]
        for node in ready:  # which grows
            for user in users[node]:
                missing[user] -= 1
                if not missing[user]:
                    ready.append(user)
        for node in ready:
            del left[node]
        left = {node: users[node] for node in left}  # and once more from the other end
    return set(left)
