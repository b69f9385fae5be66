"""Lightning over several machines, as its documentation says: num_nodes, devices, strategy "ddp"."""

import argparse
import json

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset


class Line(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("loss", loss, sync_dist=True, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--num-nodes", type=int, required=True)
    parser.add_argument("--devices", type=int, required=True)
    options = parser.parse_args()
    lightning.seed_everything(1)
    inputs = torch.randn(64, 4)
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    trainer = lightning.Trainer(
        accelerator="cpu",
        num_nodes=options.num_nodes,
        devices=options.devices,
        strategy="ddp",
        max_epochs=3,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = Line()
    trainer.fit(model, DataLoader(data, batch_size=8))
    result = {
        "world": trainer.world_size,
        "local": trainer.local_rank,
        "machine": trainer.node_rank,
        "batches": trainer.num_training_batches,
        "loss": float(trainer.callback_metrics["loss"]),
        "weights": model.layer.weight.flatten().tolist(),
    }
    with open(f"result-{trainer.global_rank}.json", "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
