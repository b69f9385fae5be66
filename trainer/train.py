"""One training run on one rank, from joining to the last picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from trainer import data, trackers, world
from trainer.batches import Order, RankBatches, loader
from trainer.compiled import CompiledLoss
from trainer.diloco import OuterStep
from trainer.examiner import Examiner
from trainer.exchange import WIRE, GradientExchange
from trainer.journal import Journal
from trainer.keeper import Keeper
from trainer.loop import Loop, Parts
from trainer.mirror import Mirror
from trainer.model import FloorPlanTransformer, Flow, Objective, Shape, shape_of
from trainer.optimizer import AveragedWeights, adamw
from trainer.place import Place
from trainer.pretrained import PretrainedText
from trainer.settings import Settings
from trainer.stop import StopRequest
from trainer.stores import Pairs
from trainer.throughput import Throughput


class Run:
    """Everything of a run on this rank."""

    def __init__(self, settings: Settings, place: Place, journal: Journal, resume_from: str) -> None:
        self.settings, self.journal = settings, journal
        self.world = world.join(place, settings, journal)
        journal.phase(
            "joined", world_size=self.world.size, nodes=self.world.nodes, device=str(self.world.device)
        )
        for note in self.world.notes:
            journal.say(note)
        encoder = data.text_encoder(settings, self.world.device)
        self.pairs, held_out = self._data(encoder)
        read_by = encoder.about() if encoder else None
        # From here on its vectors are on disk: its memory is the network's.
        del encoder
        world.agree_on_data(self.world, self.pairs.digest, place.node)
        self.network = self._network()
        folder = Path(settings.paths.checkpoints) / place.run
        self.keeper = Keeper(settings, self.world, journal, folder, self.pairs.palette, read_by)
        self.keeper.choose(resume_from, self.network, self.network.shape)
        self.parts = self._parts()
        self.progress = self.keeper.restore(
            self.network, self.parts.optimizer, self.parts.average, self.parts.outer
        )
        self.examiner = Examiner(
            settings, self.world, journal, self.network, self.parts, held_out or self.pairs
        )
        if note := trackers.start(self.world.accelerator, settings, place.run):
            journal.say(note)

    def train(self, stop: StopRequest) -> str:
        """Train to the end; return ``done`` or ``stopped``."""
        throughput = Throughput(
            self.network.shape, self.settings.training, self.world.size, self.world.device
        )
        loop = Loop(self.settings, self.world, self.journal, self.parts, self.progress, throughput)
        # The warm-up looks at the first pairs, and leaves no trace of them.
        loop.warm_up(self._batches(workers=0))
        self._say_plan()
        begun = time.monotonic()
        workers = self.settings.training.num_workers
        stopped = loop.run(self._batches(workers=workers), lambda: stop.asked, self._after_step)
        if self.keeper.last_saved != self.progress.step:
            self._save()
        reason = "stopped" if stopped else "done"
        self.journal.say(
            f"Training {reason} at step {self.progress.step} after {time.monotonic() - begun:.1f} s"
            + (": asked to stop" if stopped else "")
        )
        if not stopped:
            self._evaluate()
            self.examiner.grid(self.progress.step, self.keeper.folder.folder / "samples")
        self.world.accelerator.end_training()
        return reason

    # ---- putting together

    def _data(self, encoder: PretrainedText | None) -> tuple[Pairs, Pairs | None]:
        # One rank of a node reads the files; the others map what it has left.
        with self.world.accelerator.local_main_process_first():
            data.make_sample_data(self.settings, self.journal)
            pairs = data.open_training_data(self.settings, self.journal, encoder)
            held_out = data.open_split(self.settings, "val", self.journal, encoder, pairs.palette)
        return pairs, held_out

    def _shape(self) -> Shape:
        return shape_of(
            self.settings.model.size,
            image_size=self.settings.data.image_size,
            text_tokens=self.settings.data.text_tokens,
            vocabulary=self.settings.model.vocabulary,
            classes=len(self.pairs.palette) if self.pairs.palette else 0,
            text_width=self.pairs.text_width,
        )

    def _network(self) -> FloorPlanTransformer:
        torch.manual_seed(self.settings.training.seed)
        checkpointing = self.settings.model.gradient_checkpointing
        return FloorPlanTransformer(self._shape(), gradient_checkpointing=checkpointing)

    def _parts(self) -> Parts:
        settings, size = self.settings, self.world.size
        flow = Flow(self.network.shape, settings.noise_scale)
        objective = Objective(self.network, self._loss(flow)).to(self.world.device)
        # Wrapping sends rank 0's weights to all ranks.
        model, optimizer = self.world.accelerator.prepare(objective, adamw(self.network, settings.training))
        world.assert_wrapped(self.world, model)
        average = AveragedWeights(self.network, settings.training.ema_decay)
        parts = Parts(model, optimizer, average, flow)
        if settings.data.mirror:
            parts.mirror = Mirror(settings.model.vocabulary, self.world.device)
        wire = WIRE[settings.communication.gradient_compression]
        gloo = size > 1 and dist.get_backend() == "gloo"
        if settings.communication.diloco_steps:
            parts.outer = OuterStep(self.network, average, settings.communication, wire, size)
        elif gloo or (wire and size > 1):
            parts.exchange = GradientExchange(wire, size, timed=gloo)
            model.register_comm_hook(None, parts.exchange.hook)
        # Else DDP's own way: where nothing is converted or timed, a hook only costs each bucket a call.
        return parts

    def _loss(self, flow: Flow) -> Callable[..., Tensor]:
        if not self.settings.model.compile:
            return flow.loss
        alone = self.settings.training.gradient_accumulation_steps == 1
        graphs = self.world.device.type == "cuda" and alone
        return CompiledLoss(flow.loss, graphs=graphs, cuts=self.world.machines > 1)

    def _batches(self, *, workers: int) -> Iterator[dict[str, Tensor]]:
        training = self.settings.training
        order = Order(len(self.pairs), training.seed, self.pairs.block)
        mine = RankBatches(
            order, self.progress.samples, training.batch_size, self.world.rank, self.world.size
        )
        pin_memory = training.pin_memory and self.world.device.type == "cuda"
        persistent = training.persistent_workers
        return iter(loader(self.pairs, mine, workers=workers, pin_memory=pin_memory, persistent=persistent))

    def _say_plan(self) -> None:
        training, size = self.settings.training, self.world.size
        parameters = sum(parameter.numel() for parameter in self.network.parameters())
        effective = training.batch_size * size * training.gradient_accumulation_steps
        self.journal.say(
            f"Model {self.settings.model.size}: {parameters / 1e6:.2f}M parameters; effective batch "
            f"{effective} = {training.batch_size} a process x {size} processes x "
            f"{training.gradient_accumulation_steps} accumulated"
        )
        kind = "GPU" if self.world.device.type == "cuda" else "CPU process"
        self.journal.say(
            f"Training started with {_count(size, kind)} across {_count(self.world.nodes, 'node')}"
        )
        self.journal.phase("training", world_size=size, nodes=self.world.nodes, effective_batch=effective)

    # ---- while it runs

    def _after_step(self) -> None:
        training, step = self.settings.training, self.progress.step
        last = self.progress.finished(training)
        paused = False
        if step % training.save_every == 0:
            self._save()
            paused = True
        if training.eval_every and step % training.eval_every == 0 and not last:
            self._evaluate()
            paused = True
        if training.sample_every and step % training.sample_every == 0 and not last:
            self.examiner.grid(step, self.keeper.folder.folder / "samples")
            paused = True
        if paused:
            self.journal.phase("training")

    def _save(self) -> None:
        self.keeper.save(
            self.network, self.parts.optimizer, self.parts.average, self.parts.outer, self.progress
        )

    def _evaluate(self) -> None:
        """Evaluate, and keep the checkpoint of this step when it is the best so far."""
        loss = self.examiner.evaluate(self.progress.step)
        if loss is None or self.world.rank != 0 or self.keeper.last_saved != self.progress.step:
            return
        if loss < self.keeper.folder.best.get("score", float("inf")):
            self.keeper.folder.mark_best(self.progress.step, loss)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}{'es' if word.endswith('s') else 's'}"
