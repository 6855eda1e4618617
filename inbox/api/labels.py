"""Routes of stored label sets."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response, status

from inbox.api.auth import Known
from inbox.api.door import Door
from inbox.api.problems import responses
from inbox.classify import parse_labels
from inbox.errors import InvalidLabels, InvalidRequest, LabelSetNotFound, StoreUnavailable
from inbox.labelling import LabelSet

router = APIRouter(tags=["labels"])


@router.get("/label-sets", responses=responses(StoreUnavailable))
def list_label_sets(inbox: Door, caller: Known) -> tuple[LabelSet, ...]:
    """Every stored list of labels, by name."""
    return inbox.label_sets(caller.owner)


@router.get(
    "/label-sets/{name}", responses=responses(LabelSetNotFound, InvalidRequest, StoreUnavailable)
)
def get_label_set(name: str, inbox: Door, caller: Known) -> LabelSet:
    """One stored list of labels."""
    return inbox.label_set(name, caller.owner)


@router.put("/label-sets/{name}", responses=responses(InvalidLabels, StoreUnavailable))
def put_label_set(
    name: str,
    labels: Annotated[
        list[str | dict[str, Any]],
        Body(description="Names, or objects with name, description, cues and examples."),
    ],
    inbox: Door,
    caller: Known,
) -> LabelSet:
    """Stores a list of labels under a name; a job names it in its option `label_set`."""
    return inbox.put_label_set(name, parse_labels(labels), caller.owner)


@router.delete(
    "/label-sets/{name}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=responses(LabelSetNotFound, InvalidRequest, StoreUnavailable),
)
def delete_label_set(name: str, inbox: Door, caller: Known) -> Response:
    """Forgets a stored list; jobs keep the labels that they were submitted with."""
    inbox.delete_label_set(name, caller.owner)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
