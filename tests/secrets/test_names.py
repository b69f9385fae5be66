"""Names of secrets are recognised in every spelling, and ordinary names of training programs are not."""

from __future__ import annotations

import pytest

from fleet.secrets import is_secret_name


def words(text: str) -> list[str]:
    return text.split()


SECRETS = words(
    """
    auth Authorization proxy_authorization http_auth bearer bearer_token cookie SESSION_COOKIE cookies
    session session_id sessionid session_token AWS_SESSION_TOKEN access_key accessKey accesskey
    access_key_id AWS_ACCESS_KEY_ID awsAccessKeyId AWSSecretAccessKey aws_secret_access_key secret
    SECRET secrets client_secret clientSecret clientsecret secret_id token TOKEN hf_token HF_TOKEN
    HUGGING_FACE_HUB_TOKEN tokens authToken auth-token auth.token access_token refresh_token api_token
    GITHUB_TOKEN password Password passwd db_password dbpassword PGPASSWORD MYSQL_PWD pwd pass DB_PASS
    smtp.pass pgpass PGPASS PGPASSFILE_PASSWORD passphrase key_passphrase SSH_PASSPHRASE sshpass api_key
    API_KEY apiKey APIKey apikey APIKEY api-key api.key x-api-key WANDB_API_KEY wandbApiKey wandb_key
    WANDB_KEY wandbkey comet_api_key OPENAI_API_KEY openai_key private_key privateKey PRIVATE_KEY
    privatekey ssh_key SSH_KEY sshKey ssh-key credential credentials gcp_credentials aws.credentials dsn
    SENTRY_DSN sentryDsn connection_string connectionString AZURE_STORAGE_CONNECTION_STRING
    connectionstring conn_str webhook SLACK_WEBHOOK slack_webhook_url webhookUrl encryption_key
    signing_key account_key secret_key SECRET_KEY_BASE DJANGO_SECRET_KEY secretkey jwt JWT oauth
    oauth_token password2 API_KEY_1 token1 --api-key --wandb_key my_password_here 비밀번호 db_암호 creds netrc
    """
)

ORDINARY = words(
    """
    tokenizer tokenize tokenizer_name token_count max_tokens num_tokens text_tokens tokens_per_second
    tokens_seen token_type_ids pad_token bos_token eos_token unk_token mask_token cls_token sep_token
    pad_token_id stop_token total_tokens special_tokens max_new_tokens token_dropout token_embedding
    author authors authority co_author keyboard monkey key keys key_size primary_key foreign_key
    cache_key sort_key public_key metric_key passthrough pass_through compass bypass forward_pass
    backward_pass single_pass first_pass num_passes encompass session_timeout max_sessions session_name
    auth_method auth_type auth_url auth_mode token_url secret_name password_file private_key_path
    ssh_key_file api_key_name api_key_env cookie_path identity batch_size learning_rate wandb
    wandb_project project module script config hidden_size keypoints keyframes secretary passenger
    passive passed tokenized cookiecutter dsnt accessory NCCL_DEBUG OMP_NUM_THREADS CUDA_VISIBLE_DEVICES
    HF_HOME WANDB_MODE WANDB_DIR PATH HOME user name key_value num_key_value_heads query_key_value
    q_norm_key turnkey donkey hockey attention_heads authentic
    """
)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_recognised(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_name_is_none(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("name", ["a" * 1_000_000, "Aa" * 500_000, "_" * 1_000_000, "9" * 1_000_000, ""])
def test_an_absurd_name_costs_no_time(name: str) -> None:
    assert not is_secret_name(name)
    assert is_secret_name("password_" + name)
    assert is_secret_name(name + "_password")
