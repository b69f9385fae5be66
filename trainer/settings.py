"""Every option of a training run, with its default and its bounds; ``trainer.settings_file`` reads them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


def option(
    default: Any, meaning: str, *, least: float | None = None, most: float | None = None, choices: str = ""
) -> Any:
    """Return a dataclass field with what the reader checks: bounds, or the words allowed in one text."""
    return field(
        default=default,
        metadata={"meaning": meaning, "least": least, "most": most, "choices": tuple(choices.split())},
    )


@dataclass(frozen=True)
class Data:
    """Where the pairs are and how they are read."""

    root: str = option("data", "folder with train/ and val/, each with input_text/ and label_floorplan/")
    generate: bool = option(False, "make synthetic pairs when root does not exist")
    generate_pairs: int = option(768, "how many training pairs to make", least=1)
    image_size: int = option(256, "side of the square pictures, in pixels", least=8, most=2048)
    resize: bool = option(False, "scale pictures of another size instead of leaving them out")
    text_tokens: int = option(512, "words kept of a text", least=4, most=4096)
    mirror: bool = option(False, "mirror plans at random, and the directions in their texts with them")
    mode: str = option("auto", "auto looks at the colours", choices="auto palette rgb")
    cache: str = option(
        "auto", "decoded pictures, packed files, or auto by size", choices="auto decoded packed"
    )
    cache_folder: str = option("", "empty: the user's cache folder")
    cache_limit_gb: float = option(16.0, "largest decoded cache that auto makes", least=0)


@dataclass(frozen=True)
class Model:
    """Which network."""

    size: str = option("S/16", "width, depth and patch", choices="tiny S/16 S/8 B/16")
    text_encoder: str = option(
        "hashed", "hashed words learnt from nothing, or a frozen encoder", choices="hashed pretrained"
    )
    pretrained: str = option("", "folder or hub name of that encoder (extra pretrained)")
    vocabulary: int = option(8192, "word slots; words are hashed into them", least=64, most=1 << 20)
    noise_scale: float = option(0.0, "standard deviation of the noise; 0: image_size / 16", least=0)
    compile: bool = option(False, "torch.compile, on a GPU as CUDA graphs")
    gradient_checkpointing: bool = option(False, "trade time for memory")


@dataclass(frozen=True)
class Training:
    """How long, how fast, how often."""

    seed: int = option(0, "of the data order, the noise and the first weights", least=0)
    max_steps: int = option(20000, "optimizer steps", least=1)
    max_minutes: float = option(0.0, "end, decayed to nothing, after so long; 0: never", least=0)
    batch_size: int = option(8, "pairs a process (GPU) and micro-step", least=1)
    gradient_accumulation_steps: int = option(1, "micro-steps an optimizer step", least=1)
    num_workers: int = option(4, "loader processes a rank", least=0, most=128)
    pin_memory: bool = option(True, "page-locked batches (with CUDA)")
    persistent_workers: bool = option(True, "keep loader processes (with num_workers)")
    mixed_precision: str = option("no", "fp16 needs a GPU", choices="no fp32 fp16 bf16")
    learning_rate: float = option(3e-4, "the highest", least=0)
    final_learning_rate: float = option(0.05, "fraction of it at the end", least=0, most=1)
    warmup_steps: int = option(200, "linear warm-up", least=0)
    weight_decay: float = option(0.05, "of matrices only", least=0)
    max_grad_norm: float = option(1.0, "0: no clipping", least=0)
    ema_decay: float = option(0.999, "of the averaged weights that samples are drawn with", least=0, most=1)
    text_dropout: float = option(0.1, "texts left out, for guidance", least=0, most=1)
    save_every: int = option(500, "steps between checkpoints", least=1)
    max_checkpoints: int = option(3, "newest checkpoints kept, besides the best", least=1)
    log_every: int = option(10, "steps between records, and between looks at the stop file", least=1)
    eval_every: int = option(0, "steps between evaluations on data/val; 0: at the end", least=0)
    eval_pairs: int = option(64, "pairs of data/val looked at; 0: no evaluation", least=0)
    sample_every: int = option(0, "steps between sample grids; 0: at the end", least=0)


@dataclass(frozen=True)
class Communication:
    """What the nodes send each other."""

    gradient_compression: str = option("none", "bf16 halves what gradients cost", choices="none bf16 fp16")
    diloco_steps: int = option(0, "local steps between outer steps; 0: every step is shared", least=0)
    outer_learning_rate: float = option(0.7, "DiLoCo's outer step", least=0)
    outer_momentum: float = option(0.9, "DiLoCo's Nesterov momentum", least=0, most=1)
    bucket_mb: int = option(25, "DDP's bucket", least=1)


@dataclass(frozen=True)
class Sampling:
    """How plans are drawn."""

    steps: int = option(20, "ODE steps", least=1, most=1000)
    guidance: float = option(2.0, "1: none", least=0, most=20)
    count: int = option(8, "plans in a grid", least=1, most=64)


@dataclass(frozen=True)
class Wandb:
    """Weights & Biases."""

    enabled: bool = option(False, "log to W&B (extra wandb); WANDB_MODE=offline works")
    project: str = option("floorplan-distributed", "project name")


@dataclass(frozen=True)
class TensorBoard:
    """TensorBoard."""

    enabled: bool = option(False, "write event files to logs/<run> (extra tensorboard)")


@dataclass(frozen=True)
class AccelerateConfig:
    """The process group."""

    timeout: float = option(1800.0, "seconds to wait for a peer, at the start and at each step", least=1)


@dataclass(frozen=True)
class Paths:
    """Folders, relative to the working folder."""

    logs: str = option("logs", "train_*.log and metrics_*.jsonl")
    checkpoints: str = option("checkpoints", "a folder a run")


@dataclass(frozen=True)
class Settings:
    """The whole of ``configs/train_config.yaml``."""

    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    training: Training = field(default_factory=Training)
    communication: Communication = field(default_factory=Communication)
    sampling: Sampling = field(default_factory=Sampling)
    wandb: Wandb = field(default_factory=Wandb)
    tensorboard: TensorBoard = field(default_factory=TensorBoard)
    accelerate_config: AccelerateConfig = field(default_factory=AccelerateConfig)
    paths: Paths = field(default_factory=Paths)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain sections, as they stand in a file."""
        return asdict(self)

    @property
    def noise_scale(self) -> float:
        """Standard deviation of the noise.

        Neighbouring pixels say the same, so a larger picture needs more noise to hide where its rooms are.
        """
        return self.model.noise_scale or self.data.image_size / 16
