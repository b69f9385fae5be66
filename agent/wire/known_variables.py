"""Variables of a shell that change a training run, and that users forget to set on the other nodes."""

from __future__ import annotations

import re

_NAMES = frozenset(
    (
        "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_LAUNCH_BLOCKING", "LD_LIBRARY_PATH",
        "LD_PRELOAD", "PYTHONPATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM",
        "TRANSFORMERS_CACHE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL",
    )
)  # fmt: skip
_PREFIXES = (
    "HF_", "WANDB_", "MLFLOW_", "COMET_", "NEPTUNE_", "NCCL_", "GLOO_", "TORCH_", "PYTORCH_",
    "TORCHINDUCTOR_", "TRITON_", "UV_", "ACCELERATE_",
)  # fmt: skip
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIAL|AUTH")
_ADDRESS_WITH_USER = re.compile(r"://[^/\s]*@")


def is_known(name: str) -> bool:
    """Return whether a variable of this name is one of them."""
    name = name.upper()
    return name in _NAMES or name.startswith(_PREFIXES)


def may_be_secret(name: str, value: str) -> bool:
    """Return whether the value must stay where it is: it may be a secret, or an address with a password."""
    return _SECRET.search(name.upper()) is not None or _ADDRESS_WITH_USER.search(value) is not None
