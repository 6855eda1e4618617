"""A setting, or what it points to, is the problem."""

from __future__ import annotations

from inbox.errors.base import InboxError


class ConfigurationError(InboxError):
    """A setting, or what a setting points to, cannot work."""

    code = "configuration"


class MigrationsMissing(ConfigurationError):
    """The database lacks the tables or functions of this version."""

    code = "migrations_missing"


class SecretKeyMissing(ConfigurationError):
    """Passwords of locked files and download links need a secret that is not set."""

    code = "secret_key_missing"
