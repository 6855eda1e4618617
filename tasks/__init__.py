"""Prefect tasks: a decorator and one call into `inbox` each, and the state hooks."""
