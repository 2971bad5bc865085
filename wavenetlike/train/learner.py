"""A model while it learns: one step, and all of its state between two steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from wavenetlike.data import Conditions, Window
from wavenetlike.heads import IGNORED
from wavenetlike.models import WaveNet
from wavenetlike.train.devices import Devices
from wavenetlike.train.recipe import Recipe


class Learner:
    """The model, its optimizer, and the average of its weights if the recipe asks for one; on the devices.

    Args:
        model: changed in place.
        recipe: how it learns.
        here: where.
        conditions: what the clips are conditioned on.
    """

    def __init__(self, model: WaveNet, recipe: Recipe, here: Devices, conditions: Conditions | None = None):
        self.model, self.recipe, self.here = model.to(here.device).train(), recipe, here
        self.conditions = conditions
        # XLA compiles numbers into its program, and would anew for every step: there all that changes has to be a tensor.
        kind = {"capturable": True} if here.device.type == "xla" else {"fused": here.device.type in ("cpu", "cuda")}
        self.optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.99), **kind)
        decay = recipe.ema
        self.average = None if decay is None else AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def prepare(self) -> None:
        """The last thing before the first step, after `restore`."""
        self.forward, self._stepper = self.here.prepare(self.model, self.optimizer)
        if self.recipe.compiled:
            self.forward = torch.compile(self.forward)  # type: ignore[assignment]

    @property
    def judged(self) -> WaveNet:
        """The model as it would be if this were the end: averaged, if the recipe says so."""
        return self.model if self.average is None else self.average.module  # type: ignore[return-value]

    def step(self, batch: Window, n_targets: int, rate: float) -> tuple[float, int]:
        """One step on this process's share of a batch of ``n_targets``: the bits that it adds to the mean, and its hits.

        Raises:
            FloatingPointError: the gradient is no longer finite; the weights are those of the step before.
        """
        codes, is_target = batch.codes.to(self.here.device), batch.targets.to(self.here.device)
        targets = codes[:, self.model.receptive_field :].masked_fill(~is_target, IGNORED)
        is_xla = self.here.device.type == "xla"
        self.optimizer.param_groups[0]["lr"] = torch.tensor(rate).to(self.here.device) if is_xla else rate
        self.optimizer.zero_grad()
        condition, time = None, batch.time
        if self.conditions is not None:
            condition, time = self.conditions.of(batch.clip, batch.time, codes.shape[1])
            condition = condition.to(self.here.device)
        outputs = self.forward(codes[:, :-1], padded=False, condition=condition, time=time)
        # The mean over all processes' targets; gradients are averaged over the processes, whatever their shares.
        share = self.model.head.loss(outputs, targets) * (batch.targets.sum() / n_targets).to(self.here.device)
        self.here.backward(share * self.here.n)
        # Without it the toy gained 14% instead of 16% on a bigram model in 250 steps on five real clips.
        norm = self.here.clip(list(self.model.parameters()), self.recipe.clip or float("inf"))
        if not norm.isfinite():
            raise FloatingPointError
        self._stepper.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        hits = (self.model.head.sample(outputs, None) == targets).sum()
        self.here.end_step()
        return share.item(), int(hits)

    def finish(self, weights: dict[str, Tensor]) -> None:
        """The model as it is handed back: with ``weights``, if there are any, else averaged, if the recipe says so."""
        self.here.release(self.forward)
        self.model.load_state_dict(weights or self.judged.state_dict())

    def state(self) -> tuple[dict[str, Tensor], list[Any]]:
        """Tensors by name, and the optimizer's settings: all that the next step depends on, beside the model's weights."""
        optimizer = self.optimizer.state_dict()
        tensors = {f"optimizer/{i}/{name}": x for i, of in optimizer["state"].items() for name, x in of.items()}
        averages = {} if self.average is None else self.average.state_dict()
        tensors |= {f"average/{name}": x for name, x in averages.items()}
        groups = [{name: x for name, x in group.items() if name != "lr"} for group in optimizer["param_groups"]]
        return {**tensors, "random": torch.get_rng_state()}, groups

    def restore(self, weights: dict[str, Tensor], tensors: dict[str, Tensor], groups: list[Any]) -> None:
        """What `state` gave."""
        self.model.load_state_dict(weights)
        states: dict[int, dict[str, Tensor]] = {}
        for name, x in tensors.items():
            if name.startswith("optimizer/"):
                _, i, part = name.split("/")
                states.setdefault(int(i), {})[part] = x
        self.optimizer.load_state_dict({"state": states, "param_groups": [{**group, "lr": 0.0} for group in groups]})
        if self.average is not None:
            self.average.load_state_dict(select(tensors, "average/"))
        torch.set_rng_state(tensors["random"])


def select(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}
