"""The routes of webhooks."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status
from pydantic import Field

from inbox.api.auth import Known
from inbox.api.door import Door
from inbox.api.problems import responses
from inbox.errors import (
    InvalidRequest,
    MessageNotFound,
    StoreUnavailable,
    UrlRefused,
    WebhookNotFound,
)
from inbox.interface import WEBHOOK_EVENTS, Webhook, WebhookEvent, WebhookMessage
from inbox.model import Value

router = APIRouter(prefix="/webhooks", tags=["webhooks"])
FAILURES = responses(WebhookNotFound, InvalidRequest, StoreUnavailable)


class NewWebhook(Value):
    """Where to tell of what."""

    url: str = Field(
        min_length=1,
        max_length=2000,
        description="An https URL with a public address.",
        examples=["https://example.com/inbox-events"],
    )
    events: tuple[WebhookEvent, ...] = Field(
        default=WEBHOOK_EVENTS, min_length=1, max_length=10, description="All if not given."
    )


class CreatedWebhook(Webhook):
    """A webhook, with the secret that signs its messages: it is not shown again."""

    secret: str = Field(description="In the form that Standard Webhooks libraries take.")


class WebhookList(Value):
    """A client's webhooks, oldest first."""

    webhooks: tuple[Webhook, ...]


class MessageList(Value):
    """Messages with their attempts, newest first."""

    messages: tuple[WebhookMessage, ...]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(UrlRefused, InvalidRequest, StoreUnavailable),
)
def create_webhook(
    wanted: NewWebhook, response: Response, inbox: Door, caller: Known
) -> CreatedWebhook:
    """Tells a URL from now on when jobs are over; signed by the Standard Webhooks specification."""
    webhook, secret = inbox.create_webhook(wanted.url, caller.owner, wanted.events)
    response.headers["Location"] = f"/webhooks/{webhook.id}"
    response.headers["Cache-Control"] = "no-store"
    return CreatedWebhook(**webhook.model_dump(), secret=secret)


@router.get("", responses=responses(StoreUnavailable))
def list_webhooks(inbox: Door, caller: Known) -> WebhookList:
    """The webhooks that there are."""
    return WebhookList(webhooks=inbox.webhooks(caller.client_id))


@router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT, responses=FAILURES)
def delete_webhook(webhook_id: UUID, inbox: Door, caller: Known) -> None:
    """Forgets a webhook, with the messages that wait for it."""
    inbox.delete_webhook(webhook_id, caller.client_id)


@router.post("/{webhook_id}/enable", responses=FAILURES)
def enable_webhook(webhook_id: UUID, inbox: Door, caller: Known) -> Webhook:
    """Uses a webhook again that was disabled because its receiver answered 410."""
    return inbox.enable_webhook(webhook_id, caller.client_id)


@router.post("/{webhook_id}/test", status_code=status.HTTP_202_ACCEPTED, responses=FAILURES)
def test_webhook(webhook_id: UUID, inbox: Door, caller: Known) -> WebhookMessage:
    """Sends a message of type `webhook.test`."""
    return inbox.test_webhook(webhook_id, caller.client_id)


@router.get("/{webhook_id}/messages", responses=FAILURES)
def list_messages(
    webhook_id: UUID,
    inbox: Door,
    caller: Known,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> MessageList:
    """The delivery log: the latest messages and how each attempt went."""
    return MessageList(messages=inbox.webhook_log(webhook_id, caller.client_id, limit))


@router.post(
    "/messages/{message_id}/replay",
    status_code=status.HTTP_202_ACCEPTED,
    responses=responses(MessageNotFound, InvalidRequest, StoreUnavailable),
)
def replay_message(message_id: UUID, inbox: Door, caller: Known) -> WebhookMessage:
    """Sends a message that is over once more, under the same id."""
    return inbox.replay_message(message_id, caller.client_id)
