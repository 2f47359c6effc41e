"""What a net computes, written down operator by operator, so that it runs without its code.

A recording is plain data and tensors: the operators of torch that the net runs on a batch in
training, those that it runs on one image in evaluation, and its numbers.
"""

import operator
import re
from typing import Any

import torch
from torch import Generator, Tensor, fx, nn
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from course_utils.challenge.entry import Refused

__all__ = ["NUM_CLASSES", "SHAPE", "Counter", "Replay", "record"]

SHAPE = (3, 32, 32)
NUM_CLASSES = 10
MOST_STEPS, MOST_TENSORS, MOST_NUMBERS = 3000, 1000, 2_000_000
SMALL, MOST_FIXED = 100, 4096  # numbers that shuffling leaves as they are: see `Replay.shuffle`
MOST_COUNTED = 10**12
# What may run besides views and products of matrices: one count for each number in or out.
_NAMES = """
    _adaptive_avg_pool2d _adaptive_avg_pool3d _fused_rms_norm _log_softmax _native_batch_norm_legit
    _native_batch_norm_legit_no_training _prelu_kernel _softmax _to_copy _unsafe_view
    _weight_norm_interface abs abs_ adaptive_max_pool2d add add_ addcdiv addcmul addcmul_ addmv all
    amax amin any arange argmax avg_pool1d avg_pool2d bernoulli bernoulli_ bitwise_and bitwise_not
    bitwise_or cat celu clamp clamp_ clamp_max clamp_min clone constant_pad_nd copy_ cos cumsum
    detach div div_ dot elu elu_ empty empty_like eq erf exp exp_ expm1 eye fill_ flip full
    full_like gather ge gelu glu gt hardsigmoid hardswish hardswish_ hardtanh hardtanh_ im2col index
    index_select le leaky_relu leaky_relu_ lerp lift_fresh_copy linalg_vector_norm linspace log
    log1p log_sigmoid_forward logical_and logical_not logical_or logsumexp lt max
    max_pool2d_with_indices maximum mean min minimum mish mul mul_ mv native_batch_norm
    native_channel_shuffle native_dropout native_group_norm native_layer_norm ne neg new_empty
    new_full new_ones new_zeros ones ones_like pixel_shuffle pixel_unshuffle pow prod rand rand_like
    randn randn_like reciprocal reflection_pad2d relu relu_ repeat replication_pad2d roll rsqrt
    rsub scalar_tensor sigmoid sigmoid_ sign silu silu_ sin softplus sqrt stack std sub sub_ sum
    tanh tanh_ threshold tril triu uniform_ upsample_bilinear2d upsample_nearest2d var var_mean
    where zero_ zeros zeros_like
"""
OPERATORS = frozenset(_NAMES.split())


def record(model: Any, batch_size: int) -> dict[str, Any]:
    """Return the recording of a net; it holds no code.

    Args:
        model: Turns images (N, 3, 32, 32) into logits (N, 10).
        batch_size: Images per update.

    Raises:
        Refused: It is not such a net, or which operators it runs depends on the numbers it gets.
    """
    if not isinstance(model, nn.Module):
        raise Refused(f"build() returns {type(model).__name__}, not an nn.Module")
    learnt = {name: value for name, value in model.named_parameters() if value.requires_grad}
    tensors: dict[str, Tensor] = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    recording: dict[str, Any] = {"batch_size": batch_size, "learnt": list(learnt), "constants": {}}
    for mode, num in (("train", batch_size), ("eval", 1)):
        graph = _traced(model.train(mode == "train"), tensors, torch.zeros(num, *SHAPE))
        names = iter([*tensors, "images"])
        steps: list[tuple[Any, ...]] = []
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                steps.append((node.name, "input", next(names)))
            elif node.op == "get_attr":
                recording["constants"][f"{mode}/{node.target}"] = getattr(graph, str(node.target))
                steps.append((node.name, "input", f"{mode}/{node.target}"))
            elif node.op == "call_function":
                called = _plain(node.args), _plain(dict(node.kwargs))
                steps.append((node.name, _operator(node.target), *called))
            else:
                steps.append(("", "output", _plain(node.args[0])))
        recording[mode] = steps
    recording["tensors"] = {name: value.detach().cpu() for name, value in tensors.items()}
    return recording


def _traced(model: nn.Module, tensors: dict[str, Tensor], images: Tensor) -> fx.GraphModule:
    """Run a net on tensors without numbers, and return what it calls.

    Raises:
        Refused: It cannot be run that way, or its output is not logits.
    """

    def run(tensors: dict[str, Tensor], images: Tensor) -> Tensor:
        logits = functional_call(model, tensors, (images,))
        if not isinstance(logits, Tensor) or logits.shape != (len(images), NUM_CLASSES):
            shown = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise Refused(f"for {len(images)} images its output is {shown}, not 10 logits for each")
        return logits

    trace = make_fx(run, tracing_mode="fake", pre_dispatch=True, _allow_non_fake_inputs=True)
    try:
        return trace(tensors, images)
    except Refused:
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        raise Refused(
            "its forward pass stops with an error, or takes decisions that depend on the images: "
            f"{type(error).__name__}: {words}"
        ) from None


def _operator(target: Any) -> str:
    """Return the name of an operator.

    Raises:
        Refused: It is not one of torch's own.
    """
    if target is operator.getitem:
        return "getitem"
    if not str(target).startswith("aten."):
        raise Refused(f"it calls {getattr(target, '__name__', target)} in its forward pass")
    return str(target)


def _plain(value: Any) -> Any:
    """Return an argument as plain data, in which a dictionary stands for what is not.

    Raises:
        Refused: It is not of a kind that an operator needs.
    """
    if isinstance(value, fx.Node):
        return {"$step": value.name}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format):
        return {"$torch": str(value).removeprefix("torch.")}
    if isinstance(value, torch.device):
        return {"$torch": "cpu"}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise Refused(f"it passes a {type(value).__name__} to an operator")


class Replay(nn.Module):
    """A net that runs a recording; in evaluation, one image at a time.

    Args:
        recording: What `record` returned, or anything that claims to be that.

    Raises:
        Refused: It is larger than a recording may be.
    """

    def __init__(self, recording: dict[str, Any]) -> None:
        super().__init__()
        self.steps = {mode: recording[mode] for mode in ("train", "eval")}
        tensors = recording["tensors"] | recording["constants"]
        if max(map(len, self.steps.values())) > MOST_STEPS or len(tensors) > MOST_TENSORS:
            raise Refused(
                f"it runs more than {MOST_STEPS:,} operators, or has more than {MOST_TENSORS:,} "
                "tensors"
            )
        if sum(value.numel() for value in tensors.values()) > MOST_NUMBERS:
            raise Refused(f"it has more than {MOST_NUMBERS:,} numbers")
        self.places: dict[str, tuple[nn.Module, str]] = {}
        for place, (name, value) in enumerate(tensors.items()):
            holder, last = nn.Module(), name.rpartition(".")[2].replace("/", "_")
            self.add_module(f"t{place}", holder)
            if name in recording["learnt"]:
                holder.register_parameter(last, nn.Parameter(value.clone()))
            else:
                holder.register_buffer(last, value.clone())
            self.places[name] = holder, last

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (N, 3, 32, 32) into logits (N, 10)."""
        if self.training:
            return self.run("train", images)
        return torch.cat([self.run("eval", image[None]) for image in images])

    def shuffle(self, generator: Generator) -> None:
        """Shuffle the numbers in each parameter, as if they had been drawn in another order.

        For numbers drawn at random this makes no difference, but weights that were trained
        elsewhere are then worth nothing. What is too small to be shuffled, or not learnt, must not
        be much.

        Raises:
            Refused: It is too much.
        """
        num_fixed = 0
        for holder, last in self.places.values():
            value = getattr(holder, last).detach()
            if bool((value == 0).all() or (value == 1).all()):
                continue
            if value.numel() < SMALL or not isinstance(getattr(holder, last), nn.Parameter):
                num_fixed += value.numel()
                continue
            order = torch.randperm(value.numel(), generator=generator)
            value.copy_(value.flatten()[order].view(value.shape))
        if num_fixed > MOST_FIXED:
            raise Refused(
                f"it brings {num_fixed:,} fixed numbers along: at most {MOST_FIXED:,} are allowed"
            )

    def run(self, mode: str, images: Tensor) -> Tensor:
        """Turn images into logits by the steps of "train" (a whole batch) or "eval" (one image)."""
        found: dict[str, Any] = {}
        for name, what, *called in self.steps[mode]:
            if what == "input":
                (place,) = called
                found[name] = images if place == "images" else getattr(*self.places[place])
            elif what == "output":
                (last,) = called
                return _value(last[0] if isinstance(last, list) else last, found)
            else:
                args, named = (_value(data, found) for data in called)
                found[name] = _call(what)(*args, **named)
        raise Refused("its recording has no end")


def _value(data: Any, found: dict[str, Any]) -> Any:
    """Return an argument from plain data, and from what earlier steps have found."""
    if isinstance(data, list):
        return [_value(each, found) for each in data]
    if not isinstance(data, dict):
        return data
    if "$step" in data:
        return found[data["$step"]]
    if "$torch" in data:
        name = data["$torch"]
        return torch.device("cpu") if name == "cpu" else getattr(torch, name)
    return {name: _value(each, found) for name, each in data.items()}


def _call(name: str) -> Any:
    """Return an operator by its name."""
    if name == "getitem":
        return operator.getitem
    found = re.fullmatch(r"aten\.(\w+)\.(\w+)", name)
    if found is None:
        raise Refused(f"it calls {name}")
    return getattr(getattr(torch.ops.aten, found[1]), found[2])


class Counter(TorchDispatchMode):
    """A count of the multiply-adds of whatever runs meanwhile.

    Convolutions and products of matrices count theirs, as in `summary`. Views are free. Any other
    operator counts one for each number that goes in or comes out, whichever are more.

    Attributes:
        total: The count so far.
        parts: Operator -> its share.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total, self.parts = 0, dict[str, int]()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        packet, name = func._overloadpacket, func._overloadpacket.__name__
        if func.is_view:
            return func(*args, **(kwargs or {}))
        if name not in OPERATORS and packet not in flop_registry:
            raise Refused(f"it runs {name}, an operator that the challenge does not count")
        result = func(*args, **(kwargs or {}))
        if packet in flop_registry:
            count = flop_registry[packet](*args, **(kwargs or {}), out_val=result) // 2
        else:
            count = max(_size(args), _size(result))
        self.total += count
        self.parts[name] = self.parts.get(name, 0) + count
        if self.total > MOST_COUNTED:
            raise Refused(f"it needs more than {MOST_COUNTED:,} multiply-adds")
        return result


def _size(values: Any) -> int:
    """Return how many numbers the largest tensor holds; of a list of tensors, all of them."""
    if isinstance(values, Tensor):
        return values.numel()
    if isinstance(values, list):
        return sum(map(_size, values))
    return max(map(_size, values), default=0) if isinstance(values, tuple) else 0
