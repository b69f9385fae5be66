"""A training run on one rank, from joining the other ranks to the last sample grid."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from trainer.checkpoint.manager import CheckpointManager
from trainer.dataset.augmentation import MirrorAugmentation
from trainer.dataset.batch_sampler import ShardedBatchSampler, ShuffledIndices, create_data_loader
from trainer.dataset.held_out import SplitPairs
from trainer.dataset.loading import generate_missing_data, load_text_encoder, open_pairs
from trainer.dataset.pretrained_encoder import PretrainedTextEncoder
from trainer.distributed.all_reduce_hook import COMPRESSION_DTYPES, AllReduceHook
from trainer.distributed.consistency import check_model_is_wrapped, check_same_data
from trainer.distributed.diloco import OuterOptimizer
from trainer.distributed.initialization import init_distributed
from trainer.distributed.rank_environment import RankEnvironment
from trainer.evaluation.evaluator import Evaluator
from trainer.experiment_trackers import start_trackers
from trainer.metrics_logger import MetricsLogger
from trainer.model.compiled_loss import CompiledLoss
from trainer.model.config import model_config
from trainer.model.ema import ExponentialMovingAverage
from trainer.model.flow_matching import FlowMatching, LossModule
from trainer.model.optimizer import create_optimizer
from trainer.model.transformer import FloorPlanTransformer
from trainer.settings import Settings
from trainer.stop_request import StopRequest
from trainer.throughput import ThroughputMeter
from trainer.training_loop import TrainingComponents, TrainingLoop


class TrainingRun:
    """Sets up everything that a run needs on this rank, and trains."""

    def __init__(
        self, settings: Settings, environment: RankEnvironment, logger: MetricsLogger, resume_from: str
    ) -> None:
        self.settings, self.logger = settings, logger
        self.context = init_distributed(environment, settings, logger)
        logger.enter_phase(
            "joined",
            world_size=self.context.world_size,
            nodes=self.context.nodes,
            device=str(self.context.device),
        )
        for note in self.context.notes:
            logger.info(note)
        encoder = load_text_encoder(settings, self.context.device)
        pairs = self._open_pairs(encoder)
        self.dataset = pairs.train
        encoder_identity = encoder.identity() if encoder else None
        # Its states are on disk now; its memory is free for the network.
        del encoder
        check_same_data(self.context, f"{self.dataset.digest} {pairs.identity}", environment.node)
        self.network = self._create_network()
        folder = Path(settings.paths.checkpoints) / environment.run
        self.checkpoints = CheckpointManager(
            settings, self.context, logger, folder, self.dataset.palette, encoder_identity, pairs.identity
        )
        self.checkpoints.load_weights(resume_from, self.network)
        self.components = self._create_components()
        self.progress = self.checkpoints.restore(
            self.network, self.components.optimizer, self.components.ema, self.components.outer_optimizer
        )
        self.evaluator = Evaluator(
            settings, self.context, logger, self.network, self.components.ema, self.components.flow,
            pairs.held_out or self.dataset,
            is_held_out=pairs.held_out is not None and not self.checkpoints.has_trained_on_held_out,
        )  # fmt: skip
        if note := start_trackers(self.context.accelerator, settings, environment.run):
            logger.info(note)

    def train(self, stop: StopRequest) -> str:
        """Train to the end; return ``done`` or ``stopped``."""
        training = self.settings.training
        throughput = ThroughputMeter(
            self.network.config, training, self.context.world_size, self.context.device
        )
        loop = TrainingLoop(
            self.settings, self.context, self.logger, self.components, self.progress, throughput
        )
        # Reads the first batches, which the loop then reads again.
        loop.warm_up(self._create_batches(workers=0))
        self._log_start()
        started = time.monotonic()
        batches = self._create_batches(workers=training.num_workers)
        stopped = loop.run(batches, lambda: stop.requested, self._after_step)
        if self.checkpoints.last_saved_step != self.progress.step:
            self._save()
        reason = "stopped" if stopped else "done"
        self.logger.info(
            f"Training {reason} at step {self.progress.step} after {time.monotonic() - started:.1f} s"
            + (": stop requested" if stopped else "")
        )
        if not stopped:
            self._evaluate()
            self._save_sample_grid()
        self.context.accelerator.end_training()
        return reason

    # ---- Setup

    def _open_pairs(self, encoder: PretrainedTextEncoder | None) -> SplitPairs:
        # One rank per node builds the cache; the others open it afterwards.
        with self.context.accelerator.local_main_process_first():
            generate_missing_data(self.settings, self.logger)
            return open_pairs(self.settings, self.logger, encoder)

    def _create_network(self) -> FloorPlanTransformer:
        settings, palette = self.settings, self.dataset.palette
        config = model_config(
            settings.model.size,
            image_size=settings.data.image_size,
            text_tokens=settings.data.text_tokens,
            vocabulary=settings.model.vocabulary,
            classes=len(palette) if palette else 0,
            text_width=self.dataset.text_width,
        )
        torch.manual_seed(settings.training.seed)
        return FloorPlanTransformer(config, gradient_checkpointing=settings.model.gradient_checkpointing)

    def _create_components(self) -> TrainingComponents:
        settings, world_size = self.settings, self.context.world_size
        flow = FlowMatching(self.network.config, settings.noise_scale)
        loss_module = LossModule(self.network, self._create_loss(flow)).to(self.context.device)
        # Wrapping the module sends rank 0's weights to all ranks.
        model, optimizer = self.context.accelerator.prepare(
            loss_module, create_optimizer(self.network, settings.training)
        )
        check_model_is_wrapped(self.context, model)
        ema = ExponentialMovingAverage(self.network, settings.training.ema_decay)
        components = TrainingComponents(model, optimizer, ema, flow)
        if settings.data.mirror:
            components.augmentation = MirrorAugmentation(settings.model.vocabulary, self.context.device)
        dtype = COMPRESSION_DTYPES[settings.communication.gradient_compression]
        uses_gloo = world_size > 1 and dist.get_backend() == "gloo"
        if settings.communication.diloco_steps:
            components.outer_optimizer = OuterOptimizer(
                self.network, ema, settings.communication, dtype, world_size
            )
        elif uses_gloo or (dtype and world_size > 1):
            components.all_reduce_hook = AllReduceHook(dtype, world_size, timed=uses_gloo)
            model.register_comm_hook(None, components.all_reduce_hook.all_reduce)
        # Otherwise DDP's own all-reduce: without compression and timing, a hook would only cost a call per
        # bucket.
        return components

    def _create_loss(self, flow: FlowMatching) -> Callable[..., Tensor]:
        if not self.settings.model.compile:
            return flow.loss
        accumulates = self.settings.training.gradient_accumulation_steps > 1
        cuda_graphs = self.context.device.type == "cuda" and not accumulates
        return CompiledLoss(flow.loss, cuda_graphs=cuda_graphs, split_at_buckets=self.context.machines > 1)

    def _create_batches(self, *, workers: int) -> Iterator[dict[str, Tensor]]:
        training = self.settings.training
        sampler = ShardedBatchSampler(
            ShuffledIndices(len(self.dataset), training.seed, self.dataset.block_size),
            self.progress.samples,
            training.batch_size,
            self.context.rank,
            self.context.world_size,
        )
        pin_memory = training.pin_memory and self.context.device.type == "cuda"
        persistent = training.persistent_workers
        return iter(
            create_data_loader(
                self.dataset, sampler, workers=workers, pin_memory=pin_memory, persistent=persistent
            )
        )

    def _log_start(self) -> None:
        training, world_size = self.settings.training, self.context.world_size
        parameters = sum(parameter.numel() for parameter in self.network.parameters())
        effective_batch = training.batch_size * world_size * training.gradient_accumulation_steps
        self.logger.info(
            f"Model {self.settings.model.size}: {parameters / 1e6:.2f}M parameters; effective batch "
            f"{effective_batch} = {training.batch_size} per process x {world_size} processes x "
            f"{training.gradient_accumulation_steps} accumulated"
        )
        device = "GPU" if self.context.device.type == "cuda" else "CPU process"
        self.logger.info(
            f"Training started with {_count(world_size, device)} across {_count(self.context.nodes, 'node')}"
        )
        self.logger.enter_phase(
            "training", world_size=world_size, nodes=self.context.nodes, effective_batch=effective_batch
        )

    # ---- During training

    def _after_step(self) -> None:
        training, step = self.settings.training, self.progress.step
        is_last = self.progress.is_finished(training)
        paused = False
        if step % training.save_every == 0:
            self._save()
            paused = True
        if training.eval_every and step % training.eval_every == 0 and not is_last:
            self._evaluate()
            paused = True
        if training.sample_every and step % training.sample_every == 0 and not is_last:
            self._save_sample_grid()
            paused = True
        if paused:
            self.logger.enter_phase("training")

    def _save(self) -> None:
        components = self.components
        self.checkpoints.save(
            self.network, components.optimizer, components.ema, components.outer_optimizer, self.progress
        )

    def _save_sample_grid(self) -> None:
        self.evaluator.save_sample_grid(self.progress.step, self.checkpoints.store.folder / "samples")

    def _evaluate(self) -> None:
        """Evaluate, and mark this step's checkpoint as the best if its held-out loss is the lowest so far."""
        loss = self.evaluator.evaluate(self.progress.step)
        if loss is None or self.context.rank != 0 or self.checkpoints.last_saved_step != self.progress.step:
            return
        if not self.evaluator.is_held_out:
            return
        if loss < self.checkpoints.store.best.get("score", float("inf")):
            self.checkpoints.store.mark_best(self.progress.step, loss)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{'es' if noun.endswith('s') else 's'}"
