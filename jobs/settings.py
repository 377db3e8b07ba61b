"""What an operator can set: read from the environment (`GRADIENTD_…`) by whoever assembles a process."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from jobs.errors import Misconfigured
from jobs.spec import LONGEST_RUNTIME_SECONDS
from jobs.store_address import StoreAddress, check_authorities

SECRETS_DIR = "GRADIENTD_SECRETS_DIR"
"""Names a folder with settings in files, each called like its variable in small letters; variables come first."""


def _as_path(value: object) -> object:
    return Path(value) if isinstance(value, str) else value


AnyPath = Annotated[Path, BeforeValidator(_as_path)]
"""A path of whatever bytes: pydantic by itself refuses names that are not UTF-8."""


class Settings(BaseSettings):
    """Settings of every part. A part ignores what is not its own.

    Reads the environment when it is constructed, never at import.
    """

    model_config = SettingsConfigDict(env_prefix="GRADIENTD_", frozen=True, env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code, then the environment, then the files of the folder for secrets."""
        folder = os.environ.get(SECRETS_DIR, "")
        given = init_settings, env_settings
        return (*given, SecretsSettingsSource(settings_cls, secrets_dir=folder)) if os.path.isdir(folder) else given

    # --- where things are -------------------------------------------------------------------------
    redis_ca: AnyPath | None = None
    """PEM file, or folder, of certificate authorities that may vouch for Redis, beside those of the system; for `rediss://`
    URLs."""
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """Redis or Valkey that holds the jobs and carries the doorbell: `redis://`, `rediss://` (TLS: its certificate and
    host name are verified) or `unix://`. May contain a password, and options; see `jobs.store_address`."""
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = "gradientd"
    """First part of every Redis key: two stacks with different namespaces can share one server."""
    data_dir: AnyPath = Path("~/.local/share/gradientd").expanduser()
    """Datasets and artifacts; with `gradientd up` also the embedded store."""
    host: str = "127.0.0.1"
    """Address the API listens on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port the API listens on; 0 takes a free one."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 256 * 1024
    """Largest request body the API reads."""

    max_upload_mb: Annotated[int, Field(ge=1)] = 1024
    """Largest upload, in MiB, as it comes and decompressed."""
    max_stored_mb: Annotated[int, Field(ge=1)] = 10_240
    """Most MiB that the datasets of one owner may take in the data directory."""
    predict_memory_mb: Annotated[int, Field(ge=16)] = 256
    """Most MiB of models that an API process keeps loaded for predictions, by the size of their files."""

    webhooks_allow_private: bool = False
    """Let webhooks reach private, loopback, link-local and metadata addresses: for receivers in one's own network."""
    webhook_retry_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Wait before a webhook's second attempt; the further ones grow with it, see `jobs.webhooks.WAITS`."""

    # --- who may ask ------------------------------------------------------------------------------
    api_keys: SecretStr = SecretStr("")
    """API keys beside those in Redis, hashed: `owner:scopes:sha256` entries (`alice:submit+read:9f86…`), separated by
    commas or white space. Giving any switches keys on."""
    auth: Literal["auto", "required"] = "auto"
    """`required`: every request needs a key, also when there is none yet. `auto`: if `api_keys` gives any."""
    insecure: bool = False
    """Let the API listen beyond this machine although it asks nobody for a key."""
    key_max_jobs: Annotated[int | None, Field(ge=1)] = None
    """Most jobs of a key's owner that are not final; for keys without a limit of their own, admins' excepted."""
    key_max_queued: Annotated[int | None, Field(ge=1)] = None
    """The same for its jobs that are queued."""
    key_max_priority: int = 0
    """Highest priority of the jobs of such a key: without it one owner's jobs would pass everybody else's."""
    key_requests_per_minute: Annotated[int | None, Field(ge=1)] = None
    """Most requests of a key in a minute, for the same keys."""

    # --- workers ----------------------------------------------------------------------------------
    worker_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")] = ""
    """Unique name of this worker; empty for the host's name."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """What this worker may train on; `cpu` hides its GPUs, `gpu` refuses to start without one."""
    threads: Annotated[int | None, Field(ge=1, le=1024)] = None
    """CPU threads within one operation; by default all cores. Part of what a result's bits depend on."""
    gpu_memory_limit_mb: Annotated[int | None, Field(ge=64)] = None
    """Cap on TensorFlow's GPU memory, in MiB, instead of growth with need."""
    recycle_after: Annotated[int, Field(ge=1)] = 2000
    """Drains after which a trainer's process is replaced."""
    recycle_above_mb: Annotated[int, Field(ge=256)] = 2048
    """Memory in MiB, the machine's or a GPU's, that a trainer may hold between two jobs; one that holds more is
    replaced. An idle one holds some 600, and TensorFlow keeps what a job once took of a GPU, and convolutions of the
    machine, for as long as the process lives. A GPU's context, some 500 more, does not count."""

    compile_cache_mb: Annotated[int, Field(ge=0)] = 64
    """Most MiB of compiled programs to keep in the data directory for other trainers; 0 for none."""

    checkpoint_seconds: Annotated[float, Field(gt=0)] = 10.0
    """Training time between two checkpoints: what a killed job does again at most."""

    stall_seconds: Annotated[float, Field(gt=0)] = 600.0
    """How long training may take for one step, compilation or load before it counts as hanging and is ended."""
    grace_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a cancelled, paused or expired job may take to heed it before its process is ended."""
    lock_dir: AnyPath | None = None
    """Where trainers lock the GPUs they use: one folder for all workers that see the same cards.

    By default `gradientd-locks` in the folder for temporary files.
    """

    # --- limits for one job -----------------------------------------------------------------------
    max_parameters: Annotated[int, Field(ge=1)] = 100_000_000
    """Most trained values of a model."""
    max_batch_size: Annotated[int, Field(ge=1)] = 65_536
    """Most examples in a step."""
    max_memory_mb: Annotated[int, Field(ge=1)] = 8192
    """Most memory that a job may need by estimate, in MiB: weights, gradients, activations, dataset."""
    max_runtime_seconds: Annotated[int, Field(ge=1, le=LONGEST_RUNTIME_SECONDS)] = LONGEST_RUNTIME_SECONDS
    """Longest running time of a job, and that of one that names none."""
    worker_gflops: Annotated[float, Field(gt=0)] = 20_000.0
    """What a worker computes at most, in GFLOP/s; a job that could not end in that time even so is refused."""

    # --- the job protocol -------------------------------------------------------------------------
    lease_seconds: Annotated[float, Field(gt=0)] = 15.0
    """How long a worker keeps a job without speaking."""
    beat_seconds: Annotated[float, Field(gt=0)] = 3.0
    """How often a worker speaks."""
    upkeep_seconds: Annotated[float, Field(gt=0)] = 1.0
    """How often an API process looks for lost leases and missing bells."""
    retention_seconds: Annotated[int, Field(ge=60)] = 30 * 24 * 3600
    """How long a final job is kept."""

    @field_validator("redis_ca")
    @classmethod
    def _holds_authorities(cls, redis_ca: Path | None) -> Path | None:
        try:
            if redis_ca:
                check_authorities(redis_ca)
        except ValueError as error:
            raise PydanticCustomError("redis_ca", "{reason}", {"reason": str(error)}) from error
        return redis_ca

    @field_validator("redis_url")
    @classmethod
    def _names_a_store(cls, redis_url: SecretStr, info: ValidationInfo) -> SecretStr:
        try:
            StoreAddress.of(redis_url.get_secret_value(), ca=info.data.get("redis_ca")).check_files()
        except ValueError as error:
            raise PydanticCustomError("store_address", "{reason}", {"reason": str(error)}) from error
        return redis_url

    @property
    def store_address(self) -> StoreAddress:
        """Where the store is and how it is spoken to."""
        return StoreAddress.of(self.redis_url.get_secret_value(), ca=self.redis_ca)

    @property
    def keys_required(self) -> bool:
        """Whether the API answers only those who send a key."""
        return self.auth == "required" or bool(self.api_keys.get_secret_value().strip(", \t\r\n"))

    @property
    def worker(self) -> str:
        """The name this worker goes by."""
        return self.worker_name or socket.gethostname()

    log_level: Literal["debug", "info", "warning", "error"] = "info"


def load_settings(*, in_words: Callable[[str], str] = str, **given: Any) -> Settings:
    """The settings from the environment, overridden by those given.

    Raises:
        Misconfigured: values cannot be used; it names each one's variable, and says in the given words what is wrong.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(
            f"GRADIENTD_{str(fault['loc'][0]).upper()}: {in_words(fault['msg'])}"
            for fault in error.errors()
            if fault["loc"]
        )
        raise Misconfigured(f"a setting cannot be used: {wrong}") from error
