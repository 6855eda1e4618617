"""Classify with a language model; see `inbox.classify.llm.classifier`."""

from __future__ import annotations

from inbox.classify.llm.classifier import ModelClassifier

__all__ = ["ModelClassifier"]
