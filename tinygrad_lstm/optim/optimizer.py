"""What optimisers share: parameters in groups, what is remembered of each, and a step; how all that is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

from .. import backend
from ..backend import Array, ndarray, xp
from ..tape import Leaf, Node
from ..tensor import Tensor, asarray, wrap

__all__ = ["Optimizer"]

Group: TypeAlias = dict[str, Any]
"""Parameters that are trained alike: the list of them under ``params``, and every setting by its name."""

Memory: TypeAlias = dict[str, Any]
"""What is remembered of a parameter, under PyTorch's names: arrays of its shape, and ``step``, a count."""

INITIAL = "initial_lr"
"""What a schedule notes in a group: the learning rate from which it computes every other."""


class Optimizer:
    """What optimisers share; `SGD`, `Adam` and their kin say how a parameter follows its gradient.

    Parameters
    ----------
    params
        The tensors to train: leaves that require a gradient, as ``model.parameters()`` gives them, among which frozen
        ones are left as they are. Or groups of them: dictionaries with the tensors under ``params``, and under their
        names the settings in which a group differs.
    **settings
        The settings of every group that does not say otherwise.

    Attributes
    ----------
    param_groups
        The groups, each a dictionary with all of its settings; a step reads them, so ``group["lr"]`` may be changed at
        any time.
    state
        What is remembered of each parameter.

    Raises
    ------
    ValueError
        If there are no parameters, one comes twice, or a setting is out of its bounds.
    TypeError
        If one of them is no leaf that requires a gradient, or a group has a setting that this optimiser lacks.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(4, 8), tg.tanh, tg.nn.Linear(8, 2))
    >>> first, last = (list(layer.parameters()) for layer in (model[0], model[2]))
    >>> optimizer = tg.optim.SGD([{"params": first}, {"params": last, "lr": 0.01}], lr=0.1, momentum=0.9)
    >>> [(group["lr"], group["momentum"]) for group in optimizer.param_groups]
    [(0.1, 0.9), (0.01, 0.9)]
    """

    not_negative: ClassVar[tuple[str, ...]] = ("lr", "weight_decay")
    """The settings that are numbers from 0 on."""

    remembers: ClassVar[tuple[str, ...]] = ()
    """What is remembered of every parameter that was moved."""

    may_remember: ClassVar[tuple[str, ...]] = ()
    """What is remembered besides with some settings."""

    def __init__(self, params: Iterable[Tensor] | Iterable[Group], **settings: Any) -> None:
        self.defaults = settings
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, Memory] = {}
        self._rooms: dict[Any, Array] = {}
        groups: list[Any] = [params] if isinstance(params, Tensor) else list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__}: got no parameters, wanted at least one.")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, group: Group) -> None:
        """Train more parameters: a dictionary with the tensors under ``params``, and settings by name."""
        op = type(self).__name__
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError(f"{op}: got {group!r} among groups, wanted a dictionary with params.")
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        if not params:
            raise ValueError(f"{op}: got a group without parameters, wanted at least one.")
        known = {id(parameter) for parameter in self._parameters()}
        all_frozen = not any(isinstance(parameter, Tensor) and parameter.requires_grad for parameter in params)
        for parameter in params:
            if not isinstance(parameter, Tensor) or isinstance(parameter.node, Node) or all_frozen:
                what = f"a tensor of shape {parameter.shape}" if isinstance(parameter, Tensor) else repr(parameter)
                raise TypeError(f"{op}: got {what} among the parameters, wanted leaves that require a gradient.")
            if id(parameter) in known:
                raise ValueError(f"{op}: got a parameter of shape {parameter.shape} twice, wanted each once.")
            known.add(id(parameter))
        unknown = group.keys() - self.defaults.keys() - {"params", INITIAL}
        if unknown:
            raise TypeError(f"{op}: got a group with {', '.join(sorted(unknown))}, wanted {', '.join(self.defaults)}.")
        self.check({**self.defaults, **group})
        self.param_groups.append({**self.defaults, **group, "params": params})

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters():
            if parameter.node is not None:
                parameter.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient; graphs made before can no longer be differentiated."""
        with backend.quiet():
            for group in self.param_groups:
                for parameter in group["params"]:
                    leaf = parameter.node
                    if isinstance(leaf, Leaf) and leaf.grad is not None:
                        g = leaf.grad.data if type(leaf.grad) is Tensor else leaf.grad
                        self.update(parameter.data, g, self.state.setdefault(parameter, {}), group)
                        leaf.restamp()

    def update(self, p: Array, g: Array, memory: Memory, group: Group) -> None:
        """Change the parameter ``p`` in place by its gradient ``g``, which stays as it is; every optimiser says how."""
        raise NotImplementedError(f"{type(self).__name__} has no update method.")

    def check(self, group: Group) -> None:
        """Refuse settings that make no sense."""
        for name in self.not_negative:
            value = group[name]
            if not (isinstance(value, (int, float, backend.Scalar)) and float(value) >= 0):
                raise ValueError(f"{type(self).__name__}: got {name} = {value}, wanted a number that is not negative.")

    # What updates are made of

    def room(self, like: Array, number: int = 0) -> Array:
        """Return an array of the shape and type of another to compute in: the same memory at every call."""
        room = self._rooms.get((number, like.dtype))
        if room is None or room.size < like.size:
            room = self._rooms[number, like.dtype] = xp.empty(like.size, dtype=like.dtype)
        return room[: like.size].reshape(like.shape)

    def recall(self, name: str, memory: Memory, p: Array, first: float = 0.0) -> Array:
        """Return what is remembered under a name; before that, an array of one number."""
        array = memory.get(name)
        if array is None:
            array = memory[name] = xp.full_like(p, first)
        if array.shape != p.shape:
            raise ValueError(
                f"{type(self).__name__}: got a parameter of shape {p.shape} that had the shape {array.shape} at the "
                "step before; an optimiser is to be made anew for it."
            )
        return array

    def decayed(self, p: Array, g: Array, group: Group) -> Array:
        """Return the gradient with that of ``weight_decay / 2`` times the sum of squares of ``p`` added."""
        if not group["weight_decay"]:
            return g
        a = xp.multiply(p, group["weight_decay"], out=self.room(p, 1))
        a += g
        return a

    # How it is kept

    def _parameters(self) -> Iterator[Tensor]:
        """Give the parameters of all groups in turn; their places in this order are their positions."""
        return (parameter for group in self.param_groups for parameter in group["params"])

    def state_dict(self) -> dict[str, Any]:
        """Return the groups and what is remembered, with parameters by position, as PyTorch does.

        The arrays are tensors that share their memory with the optimiser: the next step changes them.

        >>> import tinygrad_lstm as tg
        >>> w = tg.asarray([1.0], requires_grad=True)
        >>> optimizer = tg.optim.SGD([w], lr=0.5, momentum=0.9)
        >>> tg.sum(w * w).backward()
        >>> optimizer.step()
        >>> optimizer.state_dict()["state"]
        {0: {'momentum_buffer': Tensor([2.])}}
        >>> optimizer.state_dict()["param_groups"][0]["params"]
        [0]
        """
        positions = {parameter: position for position, parameter in enumerate(self._parameters())}
        state = {
            position: {
                name: wrap(value, None) if isinstance(value, ndarray) else value
                for name, value in self.state[parameter].items()
            }
            for parameter, position in positions.items()
            if parameter in self.state
        }
        groups = [{**group, "params": [positions[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the settings and the memory of an optimiser of the same kind, over parameters of the same shapes.

        Positions may be strings, which is what JSON makes of them, and pairs may be lists. Arrays are copied, in the
        types of their parameters.

        Raises
        ------
        ValueError
            If anything does not fit; nothing is changed then.
        """
        op = f"{type(self).__name__}.load_state_dict"
        if not {"state", "param_groups"} <= state_dict.keys():
            raise ValueError(f"{op}: got {', '.join(state_dict) or 'nothing'}, wanted state and param_groups.")
        groups = [self._settings(op, group) for group in state_dict["param_groups"]]
        found = [len(group["params"]) for group in groups]
        wanted = [len(group["params"]) for group in self.param_groups]
        if found != wanted:
            raise ValueError(f"{op}: got groups of {found} parameters, wanted {wanted}.")
        saved = {int(position): memory for position, memory in state_dict["state"].items()}
        positions = [position for group in groups for position in group.pop("params")]
        state = {
            parameter: self._memory(op, position, parameter, saved.pop(position))
            for parameter, position in zip(self._parameters(), positions, strict=True)
            if position in saved
        }
        if saved:
            raise ValueError(f"{op}: got the state of parameters {sorted(saved)}, which are in no group.")
        self.state = state
        for group, settings in zip(self.param_groups, groups, strict=True):
            group.update(settings)

    def _settings(self, op: str, group: Mapping[str, Any]) -> Group:
        """Return a saved group, once it is seen to have the settings of this optimiser."""
        names, wanted = group.keys() - {INITIAL}, {*self.defaults, "params"}
        if names != wanted:
            raise ValueError(f"{op}: got a group with {', '.join(sorted(names))}, wanted {', '.join(sorted(wanted))}.")
        settings = {name: tuple(value) if isinstance(value, list) else value for name, value in group.items()}
        self.check(settings)
        return settings

    def _memory(self, op: str, position: int, parameter: Tensor, saved: Mapping[str, Any]) -> Memory:
        """Return what was remembered of a parameter, once it is seen to fit."""
        if not set(self.remembers) <= saved.keys() <= {*self.remembers, *self.may_remember}:
            raise ValueError(
                f"{op}: got {', '.join(saved) or 'nothing'} as the state of parameter {position}, wanted "
                f"{', '.join(self.remembers) or 'nothing'}"
                + (f" and perhaps {', '.join(self.may_remember)}." if self.may_remember else ".")
            )
        memory: Memory = {}
        for name, value in saved.items():
            if name == "step":
                memory[name] = int(value)
                continue
            array = asarray(value).data
            if array.shape != parameter.shape:
                raise ValueError(
                    f"{op}: got {name} of shape {array.shape} for parameter {position}, wanted {parameter.shape}."
                )
            memory[name] = array.astype(parameter.dtype)
        return memory
