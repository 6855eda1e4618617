"""The passwords of a job on their way to the worker: encrypted, and bound to their job.

AES-256-GCM with the id of the job as associated data, so that what was sealed for one job does not
open for another. Keys are derived from the installation's secret by HKDF (RFC 5869).
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from inbox.errors import ConfigurationError, InvalidRequest, SecretKeyMissing
from inbox.settings import Settings

KEY_FILE = "secret.key"
VERSION = "1."
PURPOSE = b"document-inbox job secrets"
NONCE_BYTES = 12
MAX_PASSWORDS = 20
MAX_CHARACTERS = 256


def checked(passwords: Sequence[str]) -> tuple[str, ...]:
    """Passwords that can be used, each once.

    Raises:
        InvalidRequest: there are too many, or one is too long or empty.
    """
    found = tuple(dict.fromkeys(passwords))
    if len(found) > MAX_PASSWORDS:
        raise InvalidRequest(f"a job may bring {MAX_PASSWORDS} passwords at most")
    if not all(0 < len(one) <= MAX_CHARACTERS and "\0" not in one for one in found):
        raise InvalidRequest(f"a password has 1 to {MAX_CHARACTERS} characters")
    return found


def seal(settings: Settings, job_id: UUID, passwords: Sequence[str]) -> str:
    """The passwords of a job, encrypted; ASCII.

    Raises:
        InvalidRequest: they cannot be used.
        ConfigurationError: there is no key.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    words = json.dumps({"passwords": checked(passwords)}).encode()
    nonce = secrets.token_bytes(NONCE_BYTES)
    closed = AESGCM(derived_keys(settings, PURPOSE, make=True)[0]).encrypt(
        nonce, words, job_id.bytes
    )
    return VERSION + base64.b64encode(nonce + closed).decode()


def unseal(settings: Settings, job_id: UUID, sealed: str) -> tuple[str, ...]:
    """The passwords of a job.

    Raises:
        ConfigurationError: they do not open with this installation's key.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    data = base64.b64decode(sealed.removeprefix(VERSION))
    for key in derived_keys(settings, PURPOSE, make=False):
        with suppress(InvalidTag):
            words = AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], job_id.bytes)
            return tuple(json.loads(words)["passwords"])
    raise ConfigurationError(
        "the passwords of this job were sealed with another key: set the same INBOX_SECRET_KEY "
        "wherever jobs are taken in and worked on"
    )


def derived_keys(settings: Settings, purpose: bytes, *, make: bool) -> list[bytes]:
    """Keys for one purpose out of the installation's secrets, the one to use first.

    Args:
        settings: where the secrets are.
        purpose: keys for different ones tell nothing of each other.
        make: whether the embedded installation makes its secret where it has none yet.

    Raises:
        SecretKeyMissing: there is no secret.
        ConfigurationError: it cannot be read.
    """
    if settings.secret_key is not None:
        said = [key.strip() for key in settings.secret_key.get_secret_value().split(",")]
    elif settings.database_url is None and not settings.uses_supabase:
        said = [key_of_folder(settings.data_dir, make=make)]
    else:
        raise SecretKeyMissing(
            "passwords and links need a key: set INBOX_SECRET_KEY wherever jobs are taken "
            "in and worked on (openssl rand -hex 32 makes one)"
        )
    return [_derived(each, purpose) for each in said]


def _derived(secret: str, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode())


def key_of_folder(folder: Path, *, make: bool) -> str:
    """The secret that the embedded installation keeps in its folder, for its owner only.

    Args:
        folder: the data folder.
        make: whether one is made where there is none.

    Raises:
        ConfigurationError: it cannot be read.
    """
    path = folder / KEY_FILE
    try:
        if make and not path.exists():
            _make(path)
        return path.read_text(encoding="ascii").strip()
    except OSError as failure:
        raise ConfigurationError(
            f"the key of this installation cannot be read: {failure.strerror}"
        ) from None


def _make(path: Path) -> None:
    """Write a new secret, unless another process is first; never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)  # noqa: PTH108
