"""One question to an OpenAI-compatible server, through LangChain, with every way it can fail."""

from __future__ import annotations

import asyncio
import email.utils
import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from inbox.classify.prompt import Answer
from inbox.errors import (
    InboxError,
    ModelAnswerInvalid,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
)
from inbox.settings import Settings

if TYPE_CHECKING:
    import openai

_DEFAULT_BASE_URL = "https://api.openai.com/v1"
_NO_KEY = "no-key-needed"  # servers that want no key still get the header
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 20.0
# A server that asks for more patience than this is left to a later attempt of the task.
_LONGEST_RETRY_AFTER = 60.0
_REASKS = 1
_TRY_LATER = frozenset({408, 409, 425, 429})
_FAULT = 500


class _Unavailable(Exception):
    """The server may answer the next try; `wait` is what it asked for, in seconds."""

    def __init__(self, wait: float | None = None) -> None:
        super().__init__()
        self.wait = wait


def ask(
    settings: Settings, schema: type[Answer], conversation: Sequence[tuple[str, str]]
) -> Answer:
    """The model's answer, of type `schema`.

    Raises:
        ModelUnavailable: no answer in time, or faults of the server, after the retries.
        ModelRejected: the server refuses such requests: key, model, quota, size.
        ModelRefused: the model declined.
        ModelAnswerInvalid: the answer does not follow the schema, twice.
    """
    reasks = _REASKS
    tries = 0
    while True:
        try:
            return _in_loop(settings, schema, conversation)
        except _Unavailable as fault:
            tries += 1
            wait = _wait(tries, fault.wait)
            if tries > settings.model_max_retries or wait > _LONGEST_RETRY_AFTER:
                raise ModelUnavailable(
                    f"The model's server did not answer after {tries} tries."
                ) from None
            time.sleep(wait)
        except ModelAnswerInvalid as invalid:
            if not reasks:
                raise ModelAnswerInvalid(str(invalid)) from None
            reasks -= 1


def _wait(tries: int, asked: float | None) -> float:
    if asked is not None:
        return asked
    longest: float = min(_FIRST_WAIT * 2 ** (tries - 1), _LONGEST_WAIT)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


def _in_loop(
    settings: Settings, schema: type[Answer], conversation: Sequence[tuple[str, str]]
) -> Answer:
    # A deadline over the whole exchange, which only an event loop can keep against a server that
    # sends one byte now and then. The caller's thread may have a loop of its own already.
    with ThreadPoolExecutor(1, thread_name_prefix="model-call") as thread:
        return thread.submit(asyncio.run, _exchange(settings, schema, conversation)).result()


async def _exchange(
    settings: Settings, schema: type[Answer], conversation: Sequence[tuple[str, str]]
) -> Answer:
    import langsmith
    import openai
    from langchain_openai import ChatOpenAI

    failure: InboxError | _Unavailable
    try:
        async with openai.DefaultAsyncHttpxClient(timeout=settings.model_timeout_seconds) as http:
            model = ChatOpenAI(
                model=settings.model,
                api_key=settings.openai_api_key or SecretStr(_NO_KEY),
                base_url=settings.openai_base_url or _DEFAULT_BASE_URL,
                timeout=settings.model_timeout_seconds,
                max_retries=0,  # LangChain's would also retry a spent quota
                use_responses_api=False,
                http_async_client=http,
            )
            chain = model.with_structured_output(
                schema, method="json_schema", strict=True, include_raw=True
            )
            # Nothing is traced to third parties, whatever the environment says.
            with langsmith.tracing_context(enabled=False):
                async with asyncio.timeout(settings.model_timeout_seconds):
                    said = await chain.ainvoke(list(conversation))
        return _checked(said, schema)
    except InboxError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - a foreign library in front of a foreign server
        failure = _mapped(error)
    # Raised outside the handler: the original could carry document text along as its context.
    raise failure


def _checked(said: Any, schema: type[Answer]) -> Answer:
    raw = said.get("raw") if isinstance(said, Mapping) else None
    if getattr(raw, "additional_kwargs", {}).get("refusal"):
        raise ModelRefused("The model declined to answer.")
    parsed = said.get("parsed") if isinstance(said, Mapping) else None
    if not isinstance(parsed, schema):
        raise ModelAnswerInvalid("The model's answer does not follow the schema.")
    return parsed


def _mapped(error: Exception) -> InboxError | _Unavailable:
    import openai

    if isinstance(error, (TimeoutError, openai.APIConnectionError)):
        return _Unavailable()
    if isinstance(error, openai.APIStatusError):
        return _mapped_status(error)
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return ModelRefused("The model's server withheld the answer.")
    if isinstance(error, openai.LengthFinishReasonError):
        return ModelAnswerInvalid("The model's answer was cut off.")
    return ModelAnswerInvalid(f"The model's answer could not be used ({type(error).__name__}).")


def _mapped_status(error: openai.APIStatusError) -> InboxError | _Unavailable:
    status = error.status_code
    if "insufficient_quota" in {error.code, error.type}:
        return ModelRejected("The quota of the model's account is used up.")
    if status in _TRY_LATER or status >= _FAULT:
        return _Unavailable(_retry_after(error.response.headers))
    return ModelRejected(f"The model's server refused the request (HTTP {status}).")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, from a number or an HTTP date."""
    value = headers.get("retry-after-ms")
    try:
        if value:
            return _sane(float(value) / 1000)
        value = headers.get("retry-after")
        if not value:
            return None
        try:
            return _sane(float(value))
        except ValueError:
            return _sane(email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _sane(seconds: float) -> float | None:
    return max(seconds, 0.0) if seconds == seconds else None  # noqa: PLR0124 - NaN
