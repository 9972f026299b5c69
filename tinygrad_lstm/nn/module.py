"""Modules: parameters with names, layers made of layers, and the path of names that pictures and errors show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..hooks import Handle
from ..tape import Leaf, scope
from ..tensor import DType, Tensor, asarray
from .hooks import Hooks
from .outline import as_html, as_text

__all__ = ["Module", "Parameter"]


def Parameter(data: Any) -> Tensor:
    """Return a tensor that is trained: a leaf that requires a gradient. As an attribute of a `Module` it is found.

    >>> Parameter([1.0, 2.0]).requires_grad
    True
    """
    return asarray(asarray(data).detach(), requires_grad=True)


class Module:
    """A layer or a model: parameters and further modules as attributes, and a ``forward`` that computes.

    Attributes are registered in the order in which they are set; that is the order of `parameters` and of
    `state_dict`, on every run.

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
        if isinstance(value, Tensor) and value.requires_grad and value.name is None:
            value.named(name)
        elif isinstance(value, Module):
            value.scope_name = name
        super().__setattr__(name, value)

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
        tape or on which nothing depends. What the hook returns, unless None, replaces ``grad_input``. It is not called
        where no input is on the tape.
        """
        return Handle(self._hooked().backward, hook)

    def _hooked(self) -> Hooks:
        """Return the hooks of this module, which has none until it is asked for them."""
        return vars(self).setdefault("_hooks", Hooks())

    def _repr_mimebundle_(self, **asked: Any) -> dict[str, str]:
        """Return what a notebook shows: a table of the modules within and their parameters."""
        return {"text/html": as_html(self), "text/plain": as_text(self)}

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Give the modules that are attributes of this one, with their names."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Give every parameter, this module's own first, with its path of names joined by dots."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor) and value.requires_grad:
                yield prefix + name, value
        for name, child in self.named_children():
            yield from child.named_parameters(f"{prefix}{name}.")

    def parameters(self) -> Iterator[Tensor]:
        """Give every parameter."""
        return (parameter for _, parameter in self.named_parameters())

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode: bool = True) -> Module:
        """Set this module and all within it to training, or to evaluation: dropout asks."""
        self.training = mode
        for _, child in self.named_children():
            child.train(mode)
        return self

    def eval(self) -> Module:
        """Set this module and all within it to evaluation."""
        return self.train(False)

    def to(self, dtype: DType) -> Module:
        """Turn all parameters into another floating type, and return this module; gradients are forgotten.

        An optimiser is to be made afterwards: what it remembers has the old type.

        >>> import tinygrad_lstm as tg
        >>> tg.nn.Linear(3, 2).to("float64").weight.dtype
        dtype('float64')
        """
        for parameter in self.parameters():
            parameter.data = parameter.data.astype(dtype)
            parameter.node = Leaf(parameter.shape, parameter.dtype, parameter.name)
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """Return the parameters by name, with PyTorch's names and layouts; `load_state_dict` is how to change them."""
        return {name: parameter.detach() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the values of parameters by name: tensors or arrays.

        Raises
        ------
        KeyError
            If names are missing or unknown.
        ValueError
            If a shape differs. In both cases nothing is changed.
        """
        own = dict(self.named_parameters())
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
