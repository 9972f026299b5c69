"""Levels, folding and budgets: folding loses no edge between what is to be seen, and a long tape is soon a picture."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lstm.graph.folding import Group, Groups, chosen, fold, visible, within
from tinygrad_lstm.graph.ir import Graph, Mark

NAMES = ("a", "b", "t=1", "t=2", "t=3")


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of any shape, its marks in any scopes."""
    marks: list[Mark] = []
    for id in range(draw(st.integers(1, 14))):
        if marks and draw(st.integers(0, 3)):
            inputs = draw(st.lists(st.integers(0, id - 1), max_size=3))
            scope = tuple(draw(st.lists(st.sampled_from(NAMES), max_size=3)))
            calls = tuple(draw(st.integers(0, 1)) for _ in scope)
            op = draw(st.sampled_from(["add", "matmul", "tanh", "linear"]))
            marks.append(Mark(id, op, scope=scope, calls=calls, inputs=tuple(inputs)))
        else:
            op = draw(st.sampled_from(["leaf", "constant", "number"]))
            marks.append(Mark(id, op, True, draw(st.sampled_from([None, "x", "h"]))))
    return Graph(tuple(marks))


@st.composite
def foldings(draw: st.DrawFn) -> tuple[Graph, Groups]:
    """Draw a graph and groups of its computed marks."""
    graph = draw(graphs())
    names = st.sampled_from([None, "p", "q", "r"])
    drawn = {mark.id: draw(names) for mark in graph if not mark.stored}
    return graph, {id: Group((name,)) for id, name in drawn.items() if name is not None}


def check(graph: Graph, folded: Graph) -> None:
    """Check that a graph is the other one folded."""
    owner = {part: mark.id for mark in folded for part in mark.parts or (mark.id,)}
    assert sorted(owner) == [mark.id for mark in graph]
    images = {(owner[edge.source], owner[edge.target]) for edge in graph.edges}
    assert {tuple(edge) for edge in folded.edges} == {(a, b) for a, b in images if a != b}
    met: set[int] = set()
    for mark in folded:
        assert met.issuperset(mark.sources)
        met.add(mark.id)
        if mark.folded is None and not mark.times:
            assert mark.inputs == tuple(owner[i] for i in graph[mark.id].inputs)
            assert not mark.parts


@given(foldings())
def test_folding_keeps_exactly_the_edges_between_what_is_left(drawn: tuple[Graph, Groups]) -> None:
    graph, groups = drawn
    folded = fold(graph, groups)
    check(graph, folded)
    for mark in folded:
        assert {groups[part].path for part in mark.parts if part in groups} <= {(mark.folded,)}


def ends_in(path: tuple[str, ...], ends: list[str]) -> bool:
    return any(f"/{'/'.join(path)}".endswith(f"/{end}") for end in ends)


@given(graphs(), st.sampled_from(["op", "cell", "module"]), st.data())
def test_what_is_asked_for_is_folded_and_what_is_not_stays_open(graph: Graph, level: str, data: st.DataObject) -> None:
    paths = {mark.scope[:depth] for mark in graph for depth in range(1, len(mark.scope) + 1)}
    some = st.lists(st.sampled_from(sorted("/".join(path) for path in paths)), max_size=2) if paths else st.just([])
    asked, refused = data.draw(some), data.draw(some)
    open_paths = {path[:depth] for path in paths if ends_in(path, refused) for depth in range(1, len(path) + 1)}
    groups = chosen(graph, level, asked, refused)
    check(graph, fold(graph, groups))
    assert not {group.path for group in groups.values()} & open_paths
    for mark in graph:
        if mark.id not in groups and not mark.stored:
            around = [mark.scope[:depth] for depth in range(1, len(mark.scope) + 1)]
            assert not [path for path in around if ends_in(path, asked) and path not in open_paths]


@given(graphs(), st.integers(1, 8))
def test_a_budget_folds_no_more_than_it_must(graph: Graph, limit: int) -> None:
    lean, note = within(graph, limit)
    check(graph, lean)
    if visible(graph) <= limit:
        assert lean is graph
        assert note == ""
