"""Modules: parameters with names, layers made of layers, and the path of names that pictures and errors show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ..hooks import Handle
from ..tape import Leaf, scope
from ..tensor import DType, Tensor, asarray, real_dtype
from .hooks import Hooks
from .outline import as_html, as_text

__all__ = ["Module", "Parameter"]


def Parameter(data: Any) -> Tensor:
    """Return a tensor that is trained: a leaf that requires a gradient. As an attribute of a `Module` it is found.

    >>> Parameter([1.0, 2.0]).requires_grad
    True
    """
    return asarray(asarray(data).detach(), requires_grad=True)


class _Registry(NamedTuple):
    """What of a module's attributes is to be found again, in the order in which it was set.

    Attributes
    ----------
    tensors
        The names of tensors, and whether each was a leaf that requires a gradient.
    holders
        The names of modules, and of what has modules in it, or may get some.
    """

    tensors: dict[str, bool]
    holders: dict[str, None]


class Module:
    """A layer or a model: parameters and further modules as attributes, and a ``forward`` that computes.

    A parameter is a leaf that requires a gradient when it is set; it remains one while it is frozen, with
    ``requires_grad`` False. Modules may also stand in lists, tuples and dictionaries, whose places or keys are a part
    of their names: ``layers.0.weight``. Attributes are registered in the order in which they are set; that is the order
    of `parameters` and of `state_dict`, on every run.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> class Scale(tg.nn.Module):
    ...     def __init__(self):
    ...         self.factor = tg.nn.Parameter([2.0])
    ...
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(tg.asarray([3.0]))
    Tensor([6.], op=multiply)
    """

    training: bool = True
    scope_name: str | None = None
    """The attribute under which the module was registered; calls push it as a scope."""

    def __setattr__(self, name: str, value: Any) -> None:
        registry = self._registry()
        if isinstance(value, Tensor):
            registry.tensors[name] = isinstance(value.node, Leaf)
            if registry.tensors[name] and value.name is None:
                value.named(name)
        else:
            registry.tensors.pop(name, None)
        within = list(_modules_in(name, value))
        if within or isinstance(value, (list, dict)):  # which may get some yet
            registry.holders[name] = None
        else:
            registry.holders.pop(name, None)
        for path, module in within:
            module.scope_name = path
        super().__setattr__(name, value)

    def _registry(self) -> _Registry:
        """Return what is known of the attributes; what is new knows nothing."""
        return vars(self).setdefault("_registered", _Registry({}, {}))

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Compute ``forward`` within this module's scope, and call the hooks there are."""
        hooks = vars(self).get("_hooks")
        with scope(self.scope_name or type(self).__name__):
            if hooks is None:
                return self.forward(*inputs, **options)
            return hooks.call(self, inputs, options)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output from the inputs; every module says how."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method.")

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, inputs)`` before each `forward`; what it returns, unless None, replaces the inputs."""
        return Handle(self._hooked().before, hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, inputs, output)`` after each `forward`; what it returns, unless None, is the output.

        >>> import tinygrad_lstm as tg
        >>> layer = tg.nn.Linear(3, 2)
        >>> with layer.register_forward_hook(lambda module, inputs, output: print(output.shape)):
        ...     y = layer(tg.ones((4, 3)))
        (4, 2)
        """
        return Handle(self._hooked().after, hook)

    def register_full_backward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, grad_input, grad_output)`` once a sweep has the gradients of the inputs.

        Both are tuples with a gradient for each tensor among the inputs and outputs, None for one that is not on the
        tape or on which nothing depends. What the hook returns, unless None, replaces ``grad_input``; other shapes or
        types make the sweep raise a ValueError. It is not called where no input is on the tape.
        """
        return Handle(self._hooked().backward, hook)

    def _hooked(self) -> Hooks:
        """Return the hooks of this module, which has none until it is asked for them."""
        return vars(self).setdefault("_hooks", Hooks())

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_mimebundle_(self, **asked: Any) -> dict[str, str]:
        """Return what a notebook shows: a table of the modules within and their parameters."""
        return {"text/html": as_html(self), "text/plain": as_text(self)}

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Give the modules that are attributes of this one, or stand in lists, tuples and dictionaries of it."""
        for name in self._registry().holders:
            yield from _modules_in(name, vars(self).get(name))

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Give this module and all within it, each once, with its path of names joined by dots: its own is empty.

        >>> import tinygrad_lstm as tg
        >>> model = tg.nn.Sequential(tg.nn.Linear(3, 2), tg.nn.Sequential(tg.nn.Dropout(0.5)))
        >>> for path, module in model.named_modules():
        ...     print(f"{path!r}: {type(module).__name__}")
        '': Sequential
        '0': Linear
        '1': Sequential
        '1.0': Dropout
        """
        waiting: list[tuple[str, Module]] = [("", self)]
        seen: set[Module] = set()
        while waiting:
            path, module = waiting.pop()
            if module not in seen:
                seen.add(module)
                yield path, module
                within = [(f"{path}.{name}" if path else name, child) for name, child in module.named_children()]
                waiting += reversed(within)

    def modules(self) -> Iterator[Module]:
        """Give this module and all within it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Give every parameter once, this module's own first, with its path of names joined by dots."""
        paths: dict[Tensor, str] = {}
        for path, parameter in self._places(""):
            paths.setdefault(parameter, path)
        return ((path, parameter) for parameter, path in paths.items())

    def _places(self, prefix: str) -> list[tuple[str, Tensor]]:
        """Return every parameter wherever it stands: one that is shared has several places."""
        places = [(prefix + name, parameter) for name, parameter in self.own_parameters()]
        for name, child in self.named_children():
            places += child._places(f"{prefix}{name}.")
        return places

    def own_parameters(self) -> list[tuple[str, Tensor]]:
        """Return the parameters that are attributes of this module itself, with their names."""
        attributes = vars(self)
        return [
            (name, attributes[name])
            for name, was_leaf in self._registry().tensors.items()
            if name in attributes and (was_leaf or isinstance(attributes[name].node, Leaf))
        ]

    def parameters(self) -> Iterator[Tensor]:
        """Give every parameter once, frozen ones too."""
        return iter(dict.fromkeys([parameter for _, parameter in self._places("")]))

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            if parameter.requires_grad:
                parameter.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Freeze all parameters, so that optimisers leave them alone, or have them trained again; return this module.

        >>> import tinygrad_lstm as tg
        >>> model = tg.nn.Sequential(tg.nn.Embedding(9, 4).requires_grad_(False), tg.nn.LSTM(4, 5))
        >>> [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
        ['0.weight']
        """
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def train(self, mode: bool = True) -> Module:
        """Set this module and all within it to training, or to evaluation: dropout asks."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Set this module and all within it to evaluation."""
        return self.train(False)

    def to(self, dtype: DType) -> Module:
        """Turn all parameters into another floating type, and return this module; gradients are forgotten.

        An optimiser is to be made afterwards: what it remembers has the old type.

        Raises
        ------
        TypeError
            If it is no floating type; nothing is changed then.

        Examples
        --------
        >>> import tinygrad_lstm as tg
        >>> tg.nn.Linear(3, 2).to("float64").weight.dtype
        dtype('float64')
        """
        wanted = real_dtype("to", dtype)
        if wanted.kind != "f":
            raise TypeError(f"to: got dtype {wanted}, wanted a floating type, as parameters have gradients.")
        for parameter in self.parameters():
            parameter.data = parameter.data.astype(wanted)
            if parameter.requires_grad:
                parameter.node = Leaf(parameter.shape, parameter.dtype, parameter.name)
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """Return the parameters by name, with PyTorch's names and layouts; one that is shared has all its names.

        They share their memory with the parameters: an optimiser's step changes them.
        """
        return {name: parameter.detach() for name, parameter in self._places("")}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the values of parameters by name: tensors or arrays.

        Raises
        ------
        KeyError
            If names are missing or unknown.
        ValueError
            If a shape differs. In both cases nothing is changed.
        """
        own = dict(self._places(""))
        missing, unknown = own.keys() - state_dict.keys(), state_dict.keys() - own.keys()
        if missing or unknown:
            raise KeyError(f"load_state_dict: missing {sorted(missing)}, unknown {sorted(unknown)}.")
        values = {name: asarray(value) for name, value in state_dict.items()}
        for name, parameter in own.items():
            if values[name].shape != parameter.shape:
                raise ValueError(
                    f"load_state_dict: got {name} of shape {values[name].shape}, wanted {parameter.shape}."
                )
        for name, parameter in own.items():
            parameter.assign_(values[name])


def _modules_in(name: str, value: Any) -> Iterator[tuple[str, Module]]:
    """Give the modules in an attribute, with their names: itself, or what stands in lists, tuples and dictionaries."""
    if isinstance(value, Module):
        yield name, value
    elif isinstance(value, (list, tuple, dict)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _modules_in(f"{name}.{key}", part)
