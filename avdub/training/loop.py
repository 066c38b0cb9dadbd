"""The training loop: named losses, one optimiser a model, checkpoints that resume exactly.

A recipe gives a `step` (batch number → dict of named losses) and weights of the same names; the
total is their weighted sum and the same dict goes to the log. Batches must come from the loop's own
generator, so that resuming at step k equals never having stopped.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from avdub.errors import InputError

Losses = dict[str, Tensor]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainConfig:
    """What every recipe shares; recipes add their own sizes and loss weights."""

    steps: int = 1000
    batch: int = 16
    learning_rate: float = 5e-4
    warmup: int = 100
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 0
    log_every: int = 20
    save_every: int = 200
    bf16: bool = True
    device: str = "cpu"


class Companion(Protocol):
    """What is trained beside the module by the recipe's own step, and saved with it."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Modules built inside start from weights that `seed` chooses; the global state is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@dataclass
class Run:
    """A training in progress: the module with everything trained, and where it is kept."""

    module: nn.Module
    config: TrainConfig
    folder: Path
    weights: Mapping[str, float]
    optimizer: torch.optim.Optimizer = field(init=False)
    generator: torch.Generator = field(init=False)
    model: object = None  # the config that a checkpoint must have to be resumed from
    done: int = 0
    rival: Companion | None = None

    def __post_init__(self) -> None:
        trained = [p for p in self.module.parameters() if p.requires_grad]
        c = self.config
        self.optimizer = torch.optim.AdamW(
            trained, c.learning_rate, betas=(0.8, 0.99), weight_decay=c.weight_decay
        )
        self.generator = torch.Generator().manual_seed(c.seed)
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def state_file(self) -> Path:
        return self.folder / "state.pt"

    def save(self) -> None:
        """Everything that the next step depends on, written beside and renamed."""
        state = {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "torch": torch.get_rng_state(),
            "done": self.done,
            "model": _description(self.model),
        }
        if self.rival is not None:
            state["rival"] = self.rival.state_dict()
        temporary = self.state_file.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(self.state_file)

    def resume(self) -> bool:
        """Load the last saved state, if there is one.

        Raises InputError where it is the state of another model.
        """
        if not self.state_file.is_file():
            return False
        state = torch.load(self.state_file, weights_only=True)
        if state.get("model", _description(self.model)) != _description(self.model):
            raise self._other_model()
        try:
            self.module.load_state_dict(state["module"])
            if self.rival is not None:
                self.rival.load_state_dict(state["rival"])
        except (RuntimeError, KeyError) as error:
            raise self._other_model() from error
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch"])
        self.done = state["done"]
        return True

    def _other_model(self) -> InputError:
        return InputError(
            f"{self.state_file} is from the training of a model of another configuration",
            "give the --start that this run began with, or another --run folder",
        )


def train(run: Run, step: Callable[[torch.Generator], Losses]) -> dict[str, float]:
    """Run to `config.steps`; returns the mean losses of the last log interval."""
    config = run.config
    if not run.resume():
        torch.manual_seed(config.seed)
    run.module.train()
    sums: dict[str, float] = {}
    means: dict[str, float] = {}
    since = time.perf_counter()
    while run.done < config.steps:
        for group in run.optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(run.done, config)
        with torch.autocast(config.device, torch.bfloat16, enabled=config.bf16):
            losses = step(run.generator)
        total = sum((run.weights[k] * v for k, v in losses.items()), torch.zeros(()))
        run.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        norm = nn.utils.clip_grad_norm_(run.module.parameters(), config.clip)
        if torch.isfinite(norm):
            run.optimizer.step()
        run.done += 1
        for k, v in (*losses.items(), ("grad", norm)):
            sums[k] = sums.get(k, 0.0) + v.detach().item() / config.log_every
        if run.done % config.log_every == 0:
            means, sums = sums, {}
            _write_log(run, means, time.perf_counter() - since)
            since = time.perf_counter()
        if run.done % config.save_every == 0 or run.done == config.steps:
            run.save()
    return means


def _description(config: object) -> str:
    """A config as text; "" for none."""
    if not is_dataclass(config) or isinstance(config, type):
        return ""
    return json.dumps(asdict(config), sort_keys=True)


def _schedule(done: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine down to a twentieth."""
    warm = min(1.0, (done + 1) / config.warmup)
    cosine = 0.5 * (1 + torch.cos(torch.tensor(done / config.steps * torch.pi)).item())
    return warm * (0.05 + 0.95 * cosine)


def _write_log(run: Run, means: dict[str, float], seconds: float) -> None:
    line = {"step": run.done, **{k: round(v, 5) for k, v in means.items()}, "s": round(seconds, 2)}
    with (run.folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    log.info("%s", line)
