"""One question to the model: at its turn, within the budget, tried again where that can help."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import uuid4

from pydantic import ValidationError

from inbox.classify.llm import prices
from inbox.classify.llm.exchange import Exchange, Unavailable
from inbox.classify.llm.guard import Breaker, Pace
from inbox.classify.llm.prompt import PROMPT_VERSION, Answer, Question
from inbox.classify.terms import Terms, Usage
from inbox.errors import InboxError, ModelAnswerInvalid, ModelAway, ModelUnavailable
from inbox.model import Cost
from inbox.settings import Settings

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 20.0
# A server that asks for more patience than this is left to a later attempt.
_LONGEST_RETRY_AFTER = 60.0
_REASKS = 1
_PAUSE = 0.25


class Asked(NamedTuple):
    """An answer, and what it took."""

    answer: Answer
    cost: Cost


class Caller:
    """Asks one model; shared by all tasks of a process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.price = prices.price_of(settings.model, settings.model_prices)
        self.pace = Pace(settings.model_requests_per_minute)
        self.breaker = Breaker(settings.model_away_seconds)
        self._turns: dict[str, tuple[threading.Lock, int]] = {}
        self._lock = threading.Lock()

    def ask(self, question: Question, terms: Terms) -> Asked:
        """The answer to a question; one that was kept from before costs nothing.

        Raises:
            ModelUnavailable: no answer in time, or faults of the server, after the retries.
            ModelAway: as before, and the server is left alone for a while.
            ModelRejected: the server refuses such requests: key, model, quota, size.
            ModelRefused: the model declined.
            ModelAnswerInvalid: the answer does not follow the schema, twice.
            BudgetExceeded: the job or its client may not spend so much.
            StopWork: the work is to stop.
        """
        key = self._key(question)
        with self._turn(key):  # of the same document twice in a job, the second reads the answer
            kept = terms.ledger.recall(key)
            if kept is not None:
                try:
                    answer = question.schema.model_validate_json(kept)
                    return Asked(answer, Cost(money=0.0, from_cache=True))
                except ValidationError:
                    pass  # kept by another version
            return _Asking(self, question, terms, key).run()

    def _key(self, question: Question) -> str:
        settings = self.settings
        parts = [PROMPT_VERSION, settings.model, settings.openai_base_url, *question.fixed]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @contextmanager
    def _turn(self, key: str) -> Iterator[None]:
        with self._lock:
            lock, waiting = self._turns.get(key, (threading.Lock(), 0))
            self._turns[key] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._turns.pop(key)
                if waiting > 1:
                    self._turns[key] = lock, waiting - 1


class _Asking:
    """One question on its way."""

    def __init__(self, caller: Caller, question: Question, terms: Terms, key: str) -> None:
        self._settings, self._price = caller.settings, caller.price
        self._pace, self._breaker = caller.pace, caller.breaker
        self._question, self._terms, self._key = question, terms, key
        self._cost = Cost(money=None if self._price is None else 0.0)

    def run(self) -> Asked:
        """See `Caller.ask`."""
        reasks, tries = _REASKS, 0
        failure: InboxError
        while True:
            self._breaker.check()
            self._pace.wait(self._terms.still)
            try:
                return Asked(self._once(), self._cost)
            except Unavailable as fault:
                tries += 1
                wait = _wait(tries, fault.wait)
                if fault.wait is not None:
                    self._pace.hold_off(min(fault.wait, _LONGEST_RETRY_AFTER))
                if tries > self._settings.model_max_retries or wait > _LONGEST_RETRY_AFTER:
                    failure = self._given_up(fault, tries)
                else:
                    _sleep(wait, self._terms.still)
                    continue
            except ModelAnswerInvalid as invalid:
                if reasks:
                    reasks -= 1
                    continue
                failure = ModelAnswerInvalid(str(invalid))
            raise failure

    def _given_up(self, fault: Unavailable, tries: int) -> ModelUnavailable:
        try:
            self._breaker.failed(self._key, away=fault.away, asked=fault.wait)
        except ModelAway as away:
            return ModelAway(str(away), away.seconds)
        return ModelUnavailable(f"The model's server did not answer after {tries} tries.")

    def _once(self) -> Answer:
        """One request, accounted for."""
        call, exchange = uuid4(), Exchange(self._settings)
        most = self._question.at_most(self._settings.model_max_output_tokens)
        self._terms.ledger.reserve(call, self._settings.model, self._money(most))
        answer: Answer | None = None
        unanswered = False
        try:
            answer = exchange(self._question.schema, self._question.conversation())
        except Unavailable:
            unanswered = True
            raise
        finally:
            if not unanswered:
                self._breaker.answered()
            self._account(exchange.usage, most)
            if exchange.usage is not None:
                kept = None if answer is None else (self._key, answer.model_dump_json())
                self._terms.ledger.settle(call, exchange.usage, self._money(exchange.usage), kept)
            elif answer is not None:
                kept = (self._key, answer.model_dump_json())
                self._terms.ledger.settle(call, most, self._money(most), kept)
        return answer

    def _money(self, usage: Usage) -> float | None:
        return None if self._price is None else self._price.of(usage)

    def _account(self, usage: Usage | None, most: Usage) -> None:
        """Add a call to the file's cost; one whose usage nobody knows costs its most."""
        if usage == Usage():
            return
        usage = usage or most
        money = self._money(usage)
        self._cost = Cost(
            calls=self._cost.calls + 1,
            input_tokens=self._cost.input_tokens + usage.input_tokens,
            cached_tokens=self._cost.cached_tokens + usage.cached_tokens,
            output_tokens=self._cost.output_tokens + usage.output_tokens,
            money=None if money is None else round((self._cost.money or 0.0) + money, 8),
        )


def _wait(tries: int, asked: float | None) -> float:
    if asked is not None:
        return asked
    longest: float = min(_FIRST_WAIT * 2 ** (tries - 1), _LONGEST_WAIT)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


def _sleep(seconds: float, still: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _PAUSE))
        still()
