"""The optimizer of a run, and which parameters are pulled towards zero."""

from torch import nn, optim

from course_utils.training.config import TrainConfig


def build_optimizer(model: nn.Module, config: TrainConfig) -> optim.Optimizer:
    """Return SGD or AdamW over the trainable parameters of a model.

    Raises:
        ValueError: The model has nothing to train.
    """
    decayed, kept = split_parameters(model)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("this model has no trainable parameters")
    if config.optimizer == "adamw":
        return optim.AdamW(groups, lr=config.lr)
    return optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the parameters to decay, and those to leave alone: biases and normalisation.

    The scale of a normalisation holds one number a channel, whatever its shape: weight norm
    keeps it as (C, 1, 1, 1). Only LayerNorm may hold one number a pixel. A bias is known by its
    name, since that of a locally connected layer has as many dimensions as a picture.
    """
    layer_norms = [layer for layer in model.modules() if isinstance(layer, nn.LayerNorm)]
    norm_parameters = {id(p) for layer in layer_norms for p in layer.parameters()}
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_bias = name.rpartition(".")[2] == "bias"
        is_vector = parameter.numel() == max(parameter.shape, default=1)
        is_kept = is_bias or is_vector or id(parameter) in norm_parameters
        (kept if is_kept else decayed).append(parameter)
    return decayed, kept
