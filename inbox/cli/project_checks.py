"""The checks of `inbox doctor --supabase`: one line each, with what mends it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from inbox.cli.checks import Check
from inbox.errors import ConfigurationError, InboxError, MigrationsMissing
from inbox.model import Health
from inbox.project import KeyKind, open_project
from inbox.settings import Settings

SKEW_SECONDS = 5.0  # tokens that are signed for the future are refused
SLOW_SECONDS = 0.5
ASKED = 5
LOCAL = {"localhost", "127.0.0.1", "::1"}
TABLES = ("inbox_files", "inbox_jobs")
MIGRATE = "run: supabase db push; or set DATABASE_URL to the project's connection string and run: inbox migrate"  # noqa: E501


def check_url(settings: Settings) -> Check:
    """Whether SUPABASE_URL is an address that may carry a key."""
    name = "supabase url"
    if settings.supabase_url is None:
        return Check(name, ok=False, found="SUPABASE_URL is not set", remedy="set SUPABASE_URL")
    parts = urlsplit(settings.supabase_url)
    if parts.scheme == "http" and parts.hostname not in LOCAL:
        remedy = "use https, or keep the network between to yourself"
        return Check(name, ok=False, found="the key travels unencrypted", remedy=remedy)
    used = "in use" if settings.uses_supabase else "not in use, as DATABASE_URL is set too"
    return Check(name, ok=True, found=used)


def check_key(settings: Settings) -> Check:
    """What kind of key it is, and which role the project gives it."""
    name = "supabase key"
    try:
        kind = open_project(settings).kind
        role = _health(settings).role
    except MigrationsMissing:
        return Check(name, ok=True, found=f"{kind}, accepted")
    except ConfigurationError as error:
        remedy = "copy the secret key from Project Settings, API Keys, to SUPABASE_SECRET_KEY"
        return Check(name, ok=False, found=str(error), remedy=remedy)
    found = f"{kind}, role {role}"
    if kind == KeyKind.SERVICE_ROLE:
        remedy = "keys of this older kind end with 2026: make a secret key (sb_secret_…)"
        return Check(name, ok=True, found=found, remedy=remedy)
    return Check(name, ok=True, found=found)


def check_migrations(settings: Settings) -> Check:
    """Whether the project has the tables and functions of this version."""
    from inbox.store.schema import missing_migrations

    name = "supabase migrations"
    try:
        missing = missing_migrations(_health(settings).migrations)
    except MigrationsMissing as error:
        return Check(name, ok=False, found=str(error), remedy=MIGRATE)
    if missing:
        return Check(name, ok=False, found=f"{len(missing)} are missing", remedy=MIGRATE)
    return Check(name, ok=True, found="up to date")


def check_bucket(settings: Settings) -> Check:
    """Whether the bucket is there, and private."""
    bucket = _health(settings).bucket
    remedies = {
        "absent": "make a private bucket named inbox in the dashboard",
        "public": "make the bucket inbox private in the dashboard: anybody can read it",
    }
    found = f"bucket inbox is {bucket}"
    return Check("supabase bucket", bucket == "private", found, remedies.get(bucket, ""))


def check_realtime(settings: Settings) -> Check:
    """Whether frontends are told of changes."""
    told = _health(settings).realtime
    missing = [table for table in TABLES if table not in told]
    remedy = f"run this SQL: alter publication supabase_realtime add table {', '.join(missing)}"
    found = f"tells of {', '.join(told) or 'nothing'}"
    return Check("supabase realtime", not missing, found, remedy if missing else "")


def check_clock(settings: Settings) -> Check:
    """Whether this machine and the project agree on the time."""
    before = time.time()
    now = _health(settings).now
    after = time.time()
    skew = max(before - now, now - after, 0.0)
    remedy = "" if skew < SKEW_SECONDS else "set this machine's clock, best with NTP"
    return Check("supabase clock", skew < SKEW_SECONDS, f"{skew:.1f} s apart", remedy)


def check_latency(settings: Settings) -> Check:
    """How long a call takes, once connected."""
    from inbox.store import open_store

    took = []
    with open_store(settings, None, connections=1, patience=0) as store:
        store.health()
        for _ in range(ASKED):
            began = time.perf_counter()
            store.health()
            took.append(time.perf_counter() - began)
    middle = statistics.median(took)
    remedy = "" if middle < SLOW_SECONDS else "run workers in the project's region"
    return Check("supabase latency", middle < SLOW_SECONDS, f"{middle * 1000:.0f} ms", remedy)


def _health(settings: Settings) -> Health:
    from inbox.store import open_store

    if settings.supabase_url is None:
        raise ConfigurationError("SUPABASE_URL is not set")
    with open_store(settings, None, connections=1, patience=0) as store:
        return store.health()


def _named(
    name: str, check: Callable[[Settings], Check]
) -> tuple[str, Callable[[Settings], Check]]:
    def run(settings: Settings) -> Check:
        try:
            return check(settings)
        except InboxError as error:
            remedy = MIGRATE if isinstance(error, MigrationsMissing) else ""
            return Check(name, ok=False, found=str(error), remedy=remedy)

    return name, run


PROJECT_CHECKS = (
    _named("supabase url", check_url),
    _named("supabase key", check_key),
    _named("supabase migrations", check_migrations),
    _named("supabase bucket", check_bucket),
    _named("supabase realtime", check_realtime),
    _named("supabase clock", check_clock),
    _named("supabase latency", check_latency),
)
