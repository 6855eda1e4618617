"""One request to an OpenAI-compatible server, through LangChain, with every way it can fail."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from inbox.classify.llm.prompt import Answer
from inbox.classify.terms import Usage
from inbox.errors import InboxError, ModelAnswerInvalid, ModelRefused, ModelRejected
from inbox.settings import Settings

if TYPE_CHECKING:
    import httpx
    import openai

_DEFAULT_BASE_URL = "https://api.openai.com/v1"
_NO_KEY = "no-key-needed"  # servers that want no key still get the header
_TRY_LATER = frozenset({408, 409, 425, 429})
_BUSY = frozenset({429, 503, 529})
_FAULT = 500
_MOST_TOKENS = 2**31 - 1


class Unavailable(Exception):
    """The server may answer the next try.

    Attributes:
        wait: seconds that it asks for.
        away: whether it would turn any document away.
    """

    def __init__(self, wait: float | None = None, *, away: bool = False) -> None:
        super().__init__()
        self.wait = wait
        self.away = away


class Exchange:
    """One request.

    Attributes:
        usage: the tokens that the server says it took, also where its answer is of no use; None
            where it may have taken some and does not say.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.usage: Usage | None = None

    def __call__(self, schema: type[Answer], conversation: Sequence[tuple[str, str]]) -> Answer:
        """The answer, of type `schema`.

        Raises:
            Unavailable: no answer in time, or a fault of the server.
            ModelRejected: the server refuses such requests: key, model, quota, size.
            ModelRefused: the model declined.
            ModelAnswerInvalid: the answer does not follow the schema.
        """
        # A deadline over the whole exchange, which only an event loop can keep against a server
        # that sends one byte now and then. The caller's thread may have a loop of its own already.
        with ThreadPoolExecutor(1, thread_name_prefix="model-call") as thread:
            return thread.submit(asyncio.run, self._run(schema, conversation)).result()

    async def _run(self, schema: type[Answer], conversation: Sequence[tuple[str, str]]) -> Answer:
        import langsmith
        import openai
        from langchain_openai import ChatOpenAI

        settings = self._settings
        failure: InboxError | Unavailable
        try:
            async with openai.DefaultAsyncHttpxClient(
                timeout=settings.model_timeout_seconds, event_hooks={"response": [self._count]}
            ) as http:
                model = ChatOpenAI(
                    model=settings.model,
                    api_key=settings.openai_api_key or SecretStr(_NO_KEY),
                    base_url=settings.openai_base_url or _DEFAULT_BASE_URL,
                    timeout=settings.model_timeout_seconds,
                    max_completion_tokens=settings.model_max_output_tokens,
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
            if isinstance(error, openai.APIStatusError) and self.usage is None:
                self.usage = Usage()  # an error is not charged
        # Raised outside the handler: the original could carry document text along as its context.
        raise failure

    async def _count(self, response: httpx.Response) -> None:
        # LangChain drops the usage of answers that it cannot parse, which are charged all the same.
        if not response.is_success:
            return
        try:
            said = json.loads(await response.aread())["usage"]
            details = said.get("prompt_tokens_details") or {}
            self.usage = Usage(
                _tokens(said["prompt_tokens"]),
                _tokens(details.get("cached_tokens") or 0),
                _tokens(said["completion_tokens"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return


def _tokens(value: Any) -> int:
    return min(max(int(value), 0), _MOST_TOKENS)


def _checked(said: Any, schema: type[Answer]) -> Answer:
    raw = said.get("raw") if isinstance(said, Mapping) else None
    if getattr(raw, "additional_kwargs", {}).get("refusal"):
        raise ModelRefused("The model declined to answer.")
    parsed = said.get("parsed") if isinstance(said, Mapping) else None
    if not isinstance(parsed, schema):
        raise ModelAnswerInvalid("The model's answer does not follow the schema.")
    return parsed


def _mapped(error: Exception) -> InboxError | Unavailable:
    import httpx
    import openai

    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return Unavailable()
    if isinstance(error, openai.APIConnectionError):
        return Unavailable(away=isinstance(error.__cause__, httpx.ConnectError))
    if isinstance(error, openai.APIStatusError):
        return _mapped_status(error)
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return ModelRefused("The model's server withheld the answer.")
    if isinstance(error, openai.LengthFinishReasonError):
        return ModelAnswerInvalid("The model's answer was cut off.")
    return ModelAnswerInvalid(f"The model's answer could not be used ({type(error).__name__}).")


def _mapped_status(error: openai.APIStatusError) -> InboxError | Unavailable:
    status = error.status_code
    if "insufficient_quota" in {error.code, error.type}:
        return ModelRejected("The quota of the model's account is used up.")
    if status in _TRY_LATER or status >= _FAULT:
        return Unavailable(_retry_after(error.response.headers), away=status in _BUSY)
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
