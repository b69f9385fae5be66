"""Which figures are read from lines as well-known libraries and scripts print them."""

from __future__ import annotations

import math

import pytest

from fleet.metrics_record import MetricsRecord
from fleet.printed import PrintedProgress


def record_of(line: str) -> MetricsRecord | None:
    return PrintedProgress().feed(line.encode("utf-8") + b"\n", 1.0)


def figures(record: MetricsRecord | None) -> dict[str, float]:
    if record is None:
        return {}
    named = {
        "step": record.step,
        "steps": record.steps,
        "loss": record.loss,
        "lr": record.lr,
        "eta": record.eta,
    }
    return {key: value for key, value in named.items() if value is not None} | dict(record.numbers)


EPOCH_OF = "epoch_step"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # tqdm
        ("  3%|▎         | 30/1000 [00:03<01:37,  9.95it/s, loss=0.345, lr=1e-4]",
         {"step": 30, "steps": 1000, "loss": 0.345, "lr": 1e-4, "eta": 97}),
        ("train:  50%|█████     | 2.50k/5.00k [1:00:00<1:00:00, 1.44s/it]",
         {"step": 2500, "steps": 5000, "eta": 3600}),
        ("100%|##########| 10/10 [00:01<00:00,  9.95it/s]", {"step": 10, "steps": 10, "eta": 0}),
        ("  0%|          | 0/1000 [00:00<?, ?it/s]", {"step": 0, "steps": 1000}),
        ("120it [00:12,  9.95it/s, loss=0.5]", {"step": 120, "loss": 0.5}),
        ("Epochs:  30%|███       | 3/10 [01:00<02:20, 20.0s/it]",
         {"step": 3, "steps": 10, "epoch": 3, "epochs": 10, "eta": 140}),
        ("steps:  10%|█         | 160/1600 [01:02<09:18,  2.58it/s, avr_loss=0.121]",
         {"step": 160, "steps": 1600, "loss": 0.121, "eta": 558}),
        # Lightning
        ("Epoch 3:  12%|█▏        | 12/100 [00:01<00:10,  8.30it/s, v_num=0, train_loss=0.412]",
         {"step": 312, "loss": 0.412, "epoch": 3, EPOCH_OF: 12, "epoch_steps": 100}),
        ("Epoch 0/9 ━━━━━━━━━━━━━━━ 12/100 0:00:01 • 0:00:10 8.30it/s v_num: 0 train_loss: 0.412",
         {"step": 12, "steps": 1000, "loss": 0.412, "epoch": 0, "epochs": 10, EPOCH_OF: 12,
          "epoch_steps": 100, "eta": pytest.approx(988 / 8.3)}),
        # rich, Keras
        ("Training ━━━━━━━━━━━━━━━╸──── 12/100 0:00:01 0:00:10", {"step": 12, "steps": 100, "eta": 10}),
        ("10/100 ━━━━━━━━━━━━━━━━━━━━ 9s 100ms/step - loss: 0.5123 - accuracy: 0.81",
         {"step": 10, "steps": 100, "loss": 0.5123, "eta": 9}),
        (" 10/100 [=====>........................] - ETA: 12s - loss: 0.5123",
         {"step": 10, "steps": 100, "loss": 0.5123, "eta": 12}),
        # Hugging Face Trainer, JSON
        ("{'loss': 2.3012, 'grad_norm': 1.2, 'learning_rate': 4.9e-05, 'epoch': 0.5}",
         {"loss": 2.3012, "lr": 4.9e-05, "epoch": 0.5}),
        ("{'loss': '2.3012', 'grad_norm': '1.2', 'learning_rate': '4.9e-05', 'epoch': '0.5'}",
         {"loss": 2.3012, "lr": 4.9e-05, "epoch": 0.5}),
        ('{"step": 10, "total_steps": 100, "loss": 0.5, "lr": 0.001}',
         {"step": 10, "steps": 100, "loss": 0.5, "lr": 0.001}),
        ('2026-01-01 INFO {"train/loss": 0.25, "train/global_step": 12}', {"step": 12, "loss": 0.25}),
        # nanoGPT, PyTorch's examples, torchvision, mmengine, detectron2, Megatron, torchtitan, timm, fairseq
        ("iter 10: loss 2.3123, time 12.30ms, mfu 1.23%", {"step": 10, "loss": 2.3123}),
        ("step 250: train loss 2.3123, val loss 2.4456", {"step": 250, "loss": 2.3123}),
        ("Epoch [1/10], Step [100/600], Loss: 0.2512",
         {"step": 100, "steps": 6000, "loss": 0.2512, "epoch": 1, "epochs": 10, EPOCH_OF: 100,
          "epoch_steps": 600}),
        ("Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.300512",
         {"step": 640, "loss": 2.300512, "epoch": 1, EPOCH_OF: 640, "epoch_steps": 60000}),
        ("Epoch: [0][ 10/391]\tTime  0.213 ( 0.301)\tLoss 6.9123e+00 (7.0012e+00)\tAcc@1   0.00 (  0.11)",
         {"step": 10, "loss": 6.9123, "epoch": 0, EPOCH_OF: 10, "epoch_steps": 391}),
        ("Epoch: [0]  [ 10/391]  eta: 0:01:23  lr: 0.010000  loss: 1.2345 (1.3456)  time: 0.5123",
         {"step": 10, "loss": 1.2345, "lr": 0.01, "epoch": 0, EPOCH_OF: 10, "epoch_steps": 391}),
        ("12/25 10:11:12 - mmengine - INFO - Epoch(train) [1][ 50/195]  lr: 1e-3  eta: 0:30:12  loss: 0.51",
         {"step": 50, "loss": 0.51, "lr": 1e-3, "epoch": 1, EPOCH_OF: 50, "epoch_steps": 195, "eta": 1812}),
        ("[01/02 12:00:00 d2.utils.events]:  eta: 0:10:12  iter: 19  total_loss: 1.234  cls: 0.5 lr: 1.9e-4",
         {"step": 19, "loss": 1.234, "lr": 0.00019, "eta": 612}),
        (" iteration       10/     100 | consumed samples:   160 | elapsed time per iteration (ms): 123.4 | "
         "learning rate: 1.500E-04 | global batch size:    16 | lm loss: 9.123456E+00 | grad norm: 1.2 |",
         {"step": 10, "steps": 100, "loss": 9.123456, "lr": 1.5e-4}),
        ("[titan] 2025-01-01 10:00:00,123 - root - INFO - step:  1  loss:  8.2345  memory:  2.01GiB(1.23%)",
         {"step": 1, "loss": 8.2345}),
        ("step 00010/21400 (0.05%) | loss: 3.212345 | dt: 512.12ms | tok/sec: 1,023,456",
         {"step": 10, "steps": 21400, "loss": 3.212345}),
        ("Train: 1 [  50/1251 (  4%)]  Loss: 6.871 (6.90)  Time: 0.312s  LR: 1.000e-06",
         {"step": 50, "loss": 6.871, "lr": 1e-6, "epoch": 1, EPOCH_OF: 50, "epoch_steps": 1251}),
        ("epoch 001:  10 / 100 loss=3.213, ppl=9.2, lr=0.0001",
         {"step": 10, "loss": 3.213, "lr": 1e-4, "epoch": 1, EPOCH_OF: 10, "epoch_steps": 100}),
        ("[2024-05-01 10:00:00,000] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=0, lr=[0.001]",
         {"step": 10, "lr": 0.001}),
        # scripts
        ("step 10/100", {"step": 10, "steps": 100}),
        ("[rank0]: Step: 1,024, Loss: 0.3", {"step": 1024, "loss": 0.3}),
        ("2024-01-01 12:00:00,123 - INFO - Epoch 3 of 10: train_loss=0.123, val_loss=0.2",
         {"step": 3, "steps": 10, "loss": 0.123, "epoch": 3, "epochs": 10}),
        ("Epoch 3: loss 0.5", {"step": 3, "loss": 0.5, "epoch": 3}),
        ("에폭 3/10, 스텝 20/100, 손실: 0.3123",
         {"step": 220, "steps": 1000, "loss": 0.3123, "epoch": 3, "epochs": 10, EPOCH_OF: 20,
          "epoch_steps": 100}),
    ],
)  # fmt: skip
def test_a_line_states_progress(line: str, expected: dict[str, float]) -> None:
    assert figures(record_of(line)) == expected


@pytest.mark.parametrize("word", ["nan", "NaN"])
def test_a_diverging_loss_is_a_value(word: str) -> None:
    record = record_of(f"step 12 loss {word}")
    assert record is not None
    assert record.step == 12
    assert math.isnan(record.loss or 0.0)


@pytest.mark.parametrize(
    "line",
    [
        "Sanity Checking DataLoader 0:  50%|█████     | 1/2 [00:00<00:00, 10.1it/s]",
        "Validation DataLoader 0:  50%|█████     | 1/2 [00:00<00:00, 10.1it/s]",
        "Map: 100%|██████████| 1000/1000 [00:00<00:00, 12345.67 examples/s]",
        "model.safetensors:  10%|█         | 10.5M/105M [00:01<00:10, 10.4MB/s]",
        "Loading checkpoint shards:  50%|█████     | 1/2 [00:03<00:03,  3.1s/it]",
        "{'eval_loss': 2.1, 'eval_runtime': 1.2, 'epoch': 1.0}",
        "{'train_runtime': 12.3, 'train_samples_per_second': 10.2, 'train_loss': 1.2, 'epoch': 3.0}",
        "Evaluating: step 5/10 loss 0.2",
        "val: epoch 3 loss 0.4",
        "12/25 10:11:12 - mmengine - INFO - Epoch(val) [1][ 50/195]    eta: 0:00:12  time: 0.0512",
        "Step 1/4: downloading the data",
        "Saved checkpoint at step 100",
        "loading batch 3 of the dataset",
        "Epoch 5 checkpoints kept",
        "loss function: cross entropy, 3 steps of warm-up planned",
        "batch size 32, 4 iterations per epoch were requested by the user",
        "torch 2.9.0, python 3.11",
        "",
    ],
)
def test_a_line_about_something_else_states_none(line: str) -> None:
    assert record_of(line) is None
