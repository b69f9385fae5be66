"""Which names suggest that their value is a secret: the one list for inventories, records and reports.

A name is cut into words: ``wandbApiKey``, ``WANDB_API_KEY`` and ``wandb.api-key`` are all wandb, api, key. A
word or a pair of words can be that of a secret; the words around it can make the value something else:
``max_tokens``, ``token_count``, ``pad_token`` and ``private_key_path`` hold no secret.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_A-Za-z]+|[0-9]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words of a secret unless a neighbour makes it something else; see also _ENDINGS.
_SECRET: Final = _words(
    """
    passwords passwds passphrases pgpass sshpass userpass dbpass pwd pwds pw secrets creds bearer cookie
    cookies jwt authorization netrc refreshtoken bearertoken auth oauth token tokens session pass
    """
)
#: The ends of words that were written together: ``dbpassword``, ``clientsecret``, ``wandbapikey``.
_ENDINGS: Final = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "credentials",
    "apikey",
    "apikeys",
    "accesskey",
    "accesskeys",
    "secretkey",
    "privatekey",
    "sshkey",
    "wandbkey",
    "authkey",
    "authtoken",
    "accesstoken",
    "apitoken",
    "accesskeyid",
    "connectionstring",
    "connstring",
    "sessionid",
)
#: ``key`` is a secret's word after one of these only: most keys are those of tables.
_KEY_OF: Final = _words(
    """
    access account admin anthropic api app application auth aws azure clearml client comet deploy
    encryption gcp gh github gitlab google gpg hf huggingface hmac license master minio mlflow neptune
    openai pgp private rsa s sas secret secure service session shared sign signing ssh ssl storage
    subscription tls wandb
    """
)
#: A word of a quantity or of a text's special tokens before a secret's word: ``max_tokens``, ``pad_token``.
_BEFORE: Final = _words(
    """
    all avg backward band bos by cls count current end eos first forward gen generated high image input
    last low mask max maximum mean min minimum multi n new next num number of one output pad per prompt
    second sep single special start stop text total train two unk unknown use vision vocab
    """
)
#: A word after a secret's word that makes it a name, place, size or kind: ``secret_name``, ``token_count``.
_BEHIND: Final = _words(
    """
    algorithm backend batch budget count counts dim dir directory dropout embedding embeddings enabled
    endpoint env expiry file filename folder format kind len length lengths level limit lifetime list
    loss mask max merging method min mode name names num optional path paths pooling prefix provider
    rate ratio required scheme seen server shift size split suffix sum through timeout ttl type types
    url uri user username version per drop
    """
)
#: Whole words in Korean: password, passcode, authentication key.
_KOREAN: Final = ("비밀번호", "암호", "인증키")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Return whether a key, variable or option of this name is one whose text is to be kept secret."""
    if any(word in name for word in _KOREAN):
        return True
    # The head and the tail of an absurd name decide; the rest would only cost time.
    shown = name if len(name) <= 512 else name[:256] + "_" + name[-256:]
    words = [word.lower() for word in _WORD.findall(shown) if not word.isdigit()]
    return any(_is_secret(words, at) for at in range(len(words)))


def _is_secret(words: list[str], at: int) -> bool:
    word = words[at]
    before = words[at - 1] if at else ""
    behind = words[at + 1] if at + 1 < len(words) else ""
    if word in ("webhook", "webhooks", "dsn"):
        return behind not in _BEHIND - {"url", "uri"}
    if before in _BEFORE and word not in ("password", "passphrase", "secret"):
        return False
    if behind in _BEHIND:
        return False
    if word in _SECRET or word.endswith(_ENDINGS):
        return True
    if word in ("key", "keys"):
        return before in _KEY_OF
    return word in ("connection", "conn") and behind in ("string", "str")
