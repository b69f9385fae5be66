"""One training run on one rank, from joining to the last picture."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer import data, resume, snapshot, world
from trainer.batches import Order, RankBatches, loader
from trainer.checkpoints import Checkpoint, CheckpointFolder
from trainer.decoded import DecodedPairs
from trainer.errors import CheckpointError
from trainer.exchange import WIRE, GradientExchange
from trainer.journal import Journal
from trainer.loop import Loop, Parts
from trainer.model import FloorPlanTransformer, Flow, Objective, shape_of
from trainer.optimizer import AveragedWeights, adamw
from trainer.pictures import as_rgb, save_grid
from trainer.place import Place
from trainer.progress import Progress
from trainer.settings import Settings
from trainer.stop import StopRequest
from trainer.throughput import Throughput


class Run:
    """Everything of a run on this rank."""

    def __init__(self, settings: Settings, place: Place, journal: Journal, resume_from: str) -> None:
        self.settings, self.place, self.journal = settings, place, journal
        self.world = world.join(place, settings, journal)
        journal.phase(
            "joined", world_size=self.world.size, nodes=self.world.nodes, device=str(self.world.device)
        )
        for note in self.world.notes:
            journal.say(note)
        self.pairs, self.held_out = self._data()
        world.agree_on_data(self.world, self.pairs.digest, place.node)
        self._checkpoint = self._choose(resume_from)
        self.parts = self._parts()
        self.progress = self._restored()
        self.folder = CheckpointFolder(
            Path(settings.paths.checkpoints) / place.run, settings.training.max_checkpoints
        )
        self._saved = -1

    def train(self, stop: StopRequest) -> str:
        """Train to the end; return ``done`` or ``stopped``."""
        training = self.settings.training
        self._say_plan()
        throughput = Throughput(self.parts.flow.shape, training, self.world.size, self.world.device)
        loop = Loop(self.settings, self.world, self.journal, self.parts, self.progress, throughput)
        # These go through the order from its place; the warm-up looks at the same pairs once more.
        loop.warm_up(self._batches(workers=False))
        begun = time.monotonic()
        stopped = loop.run(self._batches(workers=True), lambda: stop.asked, self._after_step)
        if self._saved != self.progress.step:
            self._save()
        reason = "stopped" if stopped else "done"
        self.journal.say(
            f"Training {reason} at step {self.progress.step} after {time.monotonic() - begun:.1f} s"
            + (": asked to stop" if stopped else "")
        )
        if not stopped:
            self._sample()
        return reason

    # ---- putting together

    def _data(self) -> tuple[DecodedPairs, DecodedPairs | None]:
        # One rank of a node reads the files; the others map what it has left.
        with self.world.accelerator.local_main_process_first():
            data.make_sample_data(self.settings, self.journal)
            pairs = data.open_training_data(self.settings, self.journal)
            held_out = data.open_split(self.settings, "val", self.journal, pairs.palette)
        return pairs, held_out

    def _choose(self, resume_from: str) -> Checkpoint | None:
        """Return on rank 0 the checkpoint to go on from; its position is told to all ranks later."""
        if not self.place.first:
            return None
        checkpoint = resume.choose(resume_from, self.settings, self.journal.say)
        if checkpoint and checkpoint.state["shape"] != self._shape_dict():
            raise CheckpointError(
                f"{checkpoint.folder} is of another network or palette",
                "use --resume none, or the options it was made with",
            )
        return checkpoint

    def _shape_dict(self) -> dict[str, Any]:
        palette = self.pairs.palette
        return {
            **vars(self._shape()),
            "palette": [list(colour) for colour in palette.colours] if palette else None,
        }

    def _shape(self) -> Any:
        settings, palette = self.settings, self.pairs.palette
        return shape_of(
            settings.model.size,
            image_size=settings.data.image_size,
            text_tokens=settings.data.text_tokens,
            vocabulary=settings.model.vocabulary,
            classes=len(palette) if palette else 0,
        )

    def _parts(self) -> Parts:
        settings, accelerator = self.settings, self.world.accelerator
        torch.manual_seed(settings.training.seed)
        self.network = FloorPlanTransformer(
            self._shape(), gradient_checkpointing=settings.model.gradient_checkpointing
        )
        if self._checkpoint:
            self.network.load_state_dict(self._checkpoint.tensors("model"))
        flow = Flow(self.network.shape, settings.noise_scale)
        objective = Objective(self.network, flow, compile_it=settings.model.compile).to(self.world.device)
        optimizer = adamw(self.network, settings.training)
        # Wrapping sends rank 0's weights to all ranks.
        model, prepared = accelerator.prepare(objective, optimizer)
        world.assert_wrapped(self.world, model)
        exchange = None
        if self.world.size > 1:
            exchange = GradientExchange(WIRE[settings.communication.gradient_compression], self.world.size)
            model.register_comm_hook(None, exchange.hook)
        average = AveragedWeights(self.network, settings.training.ema_decay)
        return Parts(model, prepared, average, flow, exchange)

    def _restored(self) -> Progress:
        """Bring optimizer, averages and position of rank 0's checkpoint to every rank."""
        checkpoint = self._checkpoint
        state = self.world.from_first(checkpoint and dict(checkpoint.state))
        if state is None:
            return Progress()
        device, size = self.world.device, self.world.size
        shared = {
            name: snapshot.share(checkpoint and checkpoint.tensors(name), device, size)
            for name in ("ema", "optimizer")
        }
        snapshot.load_averages(self.parts.average, shared["ema"])
        snapshot.load_optimizer(self.network, self.parts.optimizer.optimizer, shared["optimizer"])
        if self.world.accelerator.scaler is not None and state["scaler"]:
            self.world.accelerator.scaler.load_state_dict(state["scaler"])
        progress = Progress.saved(state)
        where = checkpoint.folder if checkpoint else "rank 0's checkpoint"
        self.journal.say(f"Resumed from {where} at step {progress.step}, {progress.samples} pairs seen")
        return progress

    def _batches(self, *, workers: bool) -> Iterator[dict[str, Tensor]]:
        training = self.settings.training
        order = Order(len(self.pairs), training.seed)
        mine = RankBatches(
            order, self.progress.samples, training.batch_size, self.world.rank, self.world.size
        )
        return iter(
            loader(
                self.pairs,
                mine,
                workers=training.num_workers if workers else 0,
                pin_memory=training.pin_memory and self.world.device.type == "cuda",
                persistent=training.persistent_workers,
            )
        )

    def _say_plan(self) -> None:
        training, size = self.settings.training, self.world.size
        parameters = sum(parameter.numel() for parameter in self.network.parameters())
        effective = training.batch_size * size * training.gradient_accumulation_steps
        self.journal.say(
            f"Model {self.settings.model.size}: {parameters / 1e6:.2f}M parameters; effective batch {effective} = "
            f"{training.batch_size} a process x {size} processes x {training.gradient_accumulation_steps} accumulated"
        )
        kind = "GPU" if self.world.device.type == "cuda" else "CPU process"
        self.journal.say(
            f"Training started with {_count(size, kind)} across {_count(self.world.nodes, 'node')}"
        )
        self.journal.phase("training", world_size=size, nodes=self.world.nodes, effective_batch=effective)

    # ---- while it runs

    def _after_step(self) -> None:
        if self.progress.step % self.settings.training.save_every == 0:
            self._save()
            self.journal.phase("training")

    def _save(self) -> None:
        self._saved = self.progress.step
        self.journal.phase("saving")
        if not self.place.first:
            return
        scaler = self.world.accelerator.scaler
        begun = time.monotonic()
        folder = self.folder.save(
            {
                "model": self.network.state_dict(),
                "ema": self.parts.average.state(),
                "optimizer": snapshot.optimizer_tensors(self.network, self.parts.optimizer.optimizer),
            },
            {
                **self.progress.as_dict(),
                "saved_at": time.time(),
                "settings": self.settings.as_dict(),
                "shape": self._shape_dict(),
                "noise_scale": self.settings.noise_scale,
                "scaler": scaler.state_dict() if scaler is not None else None,
                "world_size": self.world.size,
            },
        )
        seconds = time.monotonic() - begun
        self.journal.record("ckpt", step=self.progress.step, path=folder.as_posix(), seconds=seconds)
        self.journal.say(f"Checkpoint {folder.as_posix()} ({seconds:.1f} s)")

    def _sample(self) -> None:
        """Draw plans for held-out texts with the averaged weights: truth above, samples below."""
        if not self.place.first:
            return
        self.journal.phase("sampling")
        pairs, sampling, device = self.held_out or self.pairs, self.settings.sampling, self.world.device
        chosen = pairs[list(range(min(sampling.count, len(pairs))))]
        generator = torch.Generator(device=device).manual_seed(self.settings.training.seed)
        self.parts.average.exchange()
        plans = self.parts.flow.sample(
            self.network,
            chosen["tokens"].to(device),
            steps=sampling.steps,
            guidance=sampling.guidance,
            generator=generator,
        )
        self.parts.average.exchange()
        rows = [as_rgb(stored.cpu().numpy(), self.pairs.palette) for stored in (chosen["pictures"], plans)]
        path = self.folder.folder / "samples" / f"step-{self.progress.step:08d}.png"
        save_grid(rows, path)
        self.journal.record("sample", step=self.progress.step, path=path.as_posix())
        self.journal.say(f"Samples {path.as_posix()} (truth above, drawn below)")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}{'es' if word.endswith('s') else 's'}"
