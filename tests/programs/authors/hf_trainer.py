"""Hugging Face's Trainer on a GPT-2 made from its configuration: nothing is fetched."""

import json

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments


class Tokens(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        tokens = (torch.arange(16) + index) % 32
        return {"input_ids": tokens, "labels": tokens}


def main() -> None:
    torch.manual_seed(1)
    config = GPT2Config(vocab_size=32, n_positions=16, n_embd=16, n_layer=1, n_head=2)
    model = GPT2LMHeadModel(config)
    arguments = TrainingArguments(
        output_dir="trained",
        max_steps=6,
        per_device_train_batch_size=4,
        learning_rate=1e-2,
        use_cpu=True,
        report_to=[],
        logging_steps=1,
        save_steps=6,
        disable_tqdm=True,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=Tokens())
    trainer.train()
    result = {
        "world": arguments.world_size,
        "local": arguments.local_process_index,
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
        "weights": model.transformer.wpe.weight.flatten()[:8].tolist(),
    }
    with open(f"result-{arguments.process_index}.json", "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
