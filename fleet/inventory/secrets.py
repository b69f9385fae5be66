"""Secrets do not belong in an inventory: they are refused, with the line to write instead.

``secrets: [NAME]`` names variables whose values dtui asks for, or takes from the keyring, at each launch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import yaml

from agent.wire.message import EMPTY, Message, message
from fleet.inventory.source import Place, shown
from fleet.secrets import is_secret_name, masked_arguments
from fleet.secrets.masking import has_url_password

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_NOT_TEXT: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null"))
#: Variables that dtui sets for each rank. A secret of that name would break the run.
RESERVED: Final = frozenset(
    (
        "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "NODE_RANK",
        "MASTER_ADDR", "MASTER_PORT", "USE_LIBUV", "PYTHONUTF8", "PYTHONUNBUFFERED",
        "ACCELERATE_MIXED_PRECISION", "ACCELERATE_USE_CPU", "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME",
        "CUDA_VISIBLE_DEVICES", "PATH", "PYTHONPATH", "PYTHONHOME", "LD_PRELOAD", "LD_LIBRARY_PATH",
        "SYSTEMROOT",
    )
)  # fmt: skip
#: Words of a login, which dtui asks for itself.
_LOGIN: Final = re.compile(r"pass(?:word|wd|phrase)?s?$|pwd?$", re.IGNORECASE)


def is_text(node: yaml.Node) -> bool:
    """Return whether a value can hold a secret: numbers, booleans and nothing at all cannot."""
    return not isinstance(node, yaml.ScalarNode) or (node.tag not in _NOT_TEXT and node.value != "")


def holds_secret(name: str, value: yaml.Node) -> bool:
    """Return whether the value of a key or variable of this name is likely a secret."""
    return is_secret_name(name) and is_text(value)


def refuse(node: yaml.Node, place: Place, name: str, *, variable: bool = False) -> None:
    """Report a secret, never with its value; ``variable`` when it was meant for the ranks."""
    what = message("inventory.secret", "a secret must not be in this file")
    place.fault(node, what, _remedy(name, variable=variable))


def _remedy(name: str, *, variable: bool) -> Message:
    if _LOGIN.search(name) and not variable:
        return message(
            "inventory.login-secret.remedy",
            "remove the line; dtui asks for the password or reads it from the system keyring",
        )
    return message(
        "inventory.secret.remedy",
        "write `secrets: [{name}]` under `run` instead; "
        "dtui asks for the value or reads it from the system keyring",
        name=variable_name(name),
    )


def variable_name(name: str) -> str:
    """Return the environment variable that corresponds to a key or option: ``--api-key`` is API_KEY."""
    if _VARIABLE.fullmatch(name) and (name.isupper() or "_" in name):
        return name
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip("-"))
    return re.sub(r"[^A-Za-z0-9]+", "_", snake)[:128].strip("_").upper() or "NAME"


def variables(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    """Parse ``secrets``: a list of different names of environment variables."""
    if not isinstance(node, yaml.SequenceNode):
        place.fault(
            node,
            message("inventory.secrets-not-a-list", "must be a list of names such as [WANDB_API_KEY]"),
            message(
                "inventory.secrets-not-a-list.remedy",
                "write the names only: dtui asks for the values or reads them from the system keyring",
            ),
        )
        return None
    names: dict[str, None] = {}
    for index, item in enumerate(node.value):
        here = place.under(index)
        name = item.value if isinstance(item, yaml.ScalarNode) else ""
        if problem := variable_fault(name):
            # Not quoted: it may be the secret itself.
            remedy = message(
                "inventory.secret-name.remedy", "write the variable's name only, such as WANDB_API_KEY"
            )
            here.fault(item, problem, remedy)
        elif name in names:
            here.fault(
                item,
                message("inventory.secret-twice", "{name} is given twice", name=name),
                message("inventory.key-twice.remedy", "keep one"),
            )
        else:
            names[name] = None
    return tuple(names)


def variable_name_fault(name: str) -> Message:
    """Return why this is not a variable's name, empty when it is one. The name is not quoted."""
    if not _VARIABLE.fullmatch(name):
        return message("inventory.secret-name", "this is not the name of an environment variable")
    return EMPTY


def variable_fault(name: str) -> Message:
    """Return why no secret can have this name, empty when one can. An invalid name is not quoted."""
    if fault := variable_name_fault(name):
        return fault
    if name in RESERVED or name.startswith("DTUI_"):
        return message("inventory.secret-reserved", "{name} is set by dtui or by the system", name=name)
    return EMPTY


def refuse_in_arguments(words: Sequence[str], node: yaml.SequenceNode, place: Place) -> bool:
    """Report each secret of an argument list at its position; return whether there was one."""
    shown_words = masked_arguments(words)
    found = False
    for index, (word, shown_word) in enumerate(zip(words, shown_words, strict=True)):
        if word != shown_word:
            name = _name_of_secret(words, index)
            refuse(node.value[index], place.under(index), shown(name), variable=True)
            found = True
    return found


def refuse_in_words(words: Sequence[str], node: yaml.Node, place: Place) -> bool:
    """Report the first secret among the words of one text; return whether there was one."""
    for index, (word, shown_word) in enumerate(zip(words, masked_arguments(words), strict=True)):
        if word != shown_word:
            refuse(node, place, shown(_name_of_secret(words, index)), variable=True)
            return True
    return False


def _name_of_secret(words: Sequence[str], index: int) -> str:
    """Return the option or variable of a masked word, NAME for an address with a password."""
    word = words[index]
    name = word if "=" in word else (words[index - 1] if index else word)
    name = name.partition("=")[0]
    return name if is_secret_name(name) else "NAME"


def holds_url_password(value: yaml.ScalarNode) -> bool:
    """Return whether a value is an address that carries a password or an access token."""
    return is_text(value) and has_url_password(str(value.value))
