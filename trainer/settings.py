"""Every option of a training run, with its default and bounds; trainer.settings_file checks them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


def option(
    default: Any,
    meaning: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: str = "",
) -> Any:
    """Return a dataclass field; ``choices`` are the allowed values, separated by spaces."""
    return field(
        default=default,
        metadata={
            "meaning": meaning,
            "minimum": minimum,
            "maximum": maximum,
            "choices": tuple(choices.split()),
        },
    )


@dataclass(frozen=True)
class Data:
    """Where the pairs are, and how they are preprocessed."""

    root: str = option(
        "data", "folder with train/ and, optionally, val/, each with input_text/ and label_floorplan/"
    )
    generate: bool = option(False, "generate synthetic pairs if root does not exist")
    generate_pairs: int = option(768, "number of training pairs to generate", minimum=1)
    image_size: int = option(256, "side of the square images, in pixels", minimum=8, maximum=2048)
    resize: bool = option(False, "resize images of another size instead of skipping them")
    text_tokens: int = option(512, "maximum number of words per text", minimum=4, maximum=4096)
    mirror: bool = option(False, "mirror plans at random, together with the directions in their texts")
    mode: str = option(
        "auto", "palette classes or RGB; auto decides by the number of colours", choices="auto palette rgb"
    )
    cache: str = option(
        "auto", "decoded images or packed files; auto decides by size", choices="auto decoded packed"
    )
    cache_folder: str = option("", "default: the user's cache folder")
    cache_limit_gb: float = option(16.0, "largest decoded cache that auto creates", minimum=0)


@dataclass(frozen=True)
class Model:
    """The network."""

    size: str = option("S/16", "width, depth and patch size", choices="tiny S/16 S/8 B/16")
    text_encoder: str = option(
        "hashed",
        "hashed words, trained from scratch, or a frozen pretrained encoder",
        choices="hashed pretrained",
    )
    pretrained: str = option("", "folder or hub name of that encoder (extra pretrained)")
    vocabulary: int = option(
        8192, "number of token ids that words are hashed into", minimum=64, maximum=1 << 20
    )
    noise_scale: float = option(0.0, "standard deviation of the noise; 0: image_size / 16", minimum=0)
    compile: bool = option(False, "torch.compile, on a GPU as CUDA graphs")
    gradient_checkpointing: bool = option(False, "recompute activations to save memory")


@dataclass(frozen=True)
class Training:
    """The optimization, its duration and its intervals."""

    seed: int = option(0, "seed of the data order, the noise and the initial weights", minimum=0)
    max_steps: int = option(20000, "optimizer steps", minimum=1)
    max_minutes: float = option(
        0.0, "end after this time, with the learning rate decayed; 0: no limit", minimum=0
    )
    batch_size: int = option(8, "pairs per process (GPU) and micro-step", minimum=1)
    gradient_accumulation_steps: int = option(1, "micro-steps per optimizer step", minimum=1)
    num_workers: int = option(4, "data loader processes per rank", minimum=0, maximum=128)
    pin_memory: bool = option(True, "pinned memory for batches (with CUDA)")
    persistent_workers: bool = option(True, "keep data loader processes (with num_workers)")
    mixed_precision: str = option("no", "fp16 needs a GPU", choices="no fp32 fp16 bf16")
    learning_rate: float = option(3e-4, "peak learning rate", minimum=0)
    final_learning_rate: float = option(
        0.05, "final learning rate, as a fraction of the peak", minimum=0, maximum=1
    )
    warmup_steps: int = option(200, "steps of linear warm-up", minimum=0)
    weight_decay: float = option(0.05, "weight decay, of matrices only", minimum=0)
    max_grad_norm: float = option(1.0, "gradient clipping; 0: off", minimum=0)
    ema_decay: float = option(
        0.999, "decay of the averaged weights, which evaluation and sampling use", minimum=0, maximum=1
    )
    text_dropout: float = option(
        0.1, "fraction of texts that are dropped, for classifier-free guidance", minimum=0, maximum=1
    )
    save_every: int = option(500, "steps between checkpoints", minimum=1)
    max_checkpoints: int = option(3, "newest checkpoints to keep, in addition to the best", minimum=1)
    log_every: int = option(10, "steps between metrics records; stop requests are checked then", minimum=1)
    eval_every: int = option(0, "steps between evaluations on held-out pairs; 0: only at the end", minimum=0)
    eval_pairs: int = option(64, "held-out pairs per evaluation; 0: no evaluation", minimum=0)
    sample_every: int = option(0, "steps between sample grids; 0: only at the end", minimum=0)


@dataclass(frozen=True)
class Communication:
    """Communication between ranks."""

    gradient_compression: str = option(
        "none", "bf16 and fp16 halve the gradient traffic", choices="none bf16 fp16"
    )
    diloco_steps: int = option(
        0, "DiLoCo: local steps per outer step; 0: gradients are averaged at every step", minimum=0
    )
    outer_learning_rate: float = option(0.7, "DiLoCo: learning rate of the outer optimizer", minimum=0)
    outer_momentum: float = option(
        0.9, "DiLoCo: Nesterov momentum of the outer optimizer", minimum=0, maximum=1
    )
    bucket_mb: int = option(25, "size of a DDP gradient bucket", minimum=1)


@dataclass(frozen=True)
class Sampling:
    """How plans are sampled."""

    steps: int = option(20, "ODE steps", minimum=1, maximum=1000)
    guidance: float = option(2.0, "scale of classifier-free guidance; 1: off", minimum=0, maximum=20)
    count: int = option(8, "plans per sample grid", minimum=1, maximum=64)


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

    timeout: float = option(
        1800.0, "seconds to wait for another rank, at the start and at each step", minimum=1
    )


@dataclass(frozen=True)
class Paths:
    """Folders, relative to the working directory."""

    logs: str = option("logs", "train_*.log and metrics_*.jsonl")
    checkpoints: str = option("checkpoints", "one folder per run")


@dataclass(frozen=True)
class Settings:
    """All sections of ``configs/train_config.yaml``."""

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
        """Return the sections as plain dicts."""
        return asdict(self)

    def by_dotted_name(self) -> dict[str, Any]:
        """Return the value of every option by ``section.key``."""
        return {
            f"{section}.{key}": value
            for section, values in self.as_dict().items()
            for key, value in values.items()
        }

    @property
    def noise_scale(self) -> float:
        """Standard deviation of the noise.

        Neighbouring pixels are redundant, so a larger image needs more noise to hide where its rooms are.
        """
        return self.model.noise_scale or self.data.image_size / 16
