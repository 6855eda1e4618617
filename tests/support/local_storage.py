"""A stub of Supabase Storage: it answers as the real one was seen to answer.

The bytes are in memory. The rows are in `storage.objects` of the project's database, written
and read as the role of the caller's token, so the policies that hold are the real ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import jwt
import psycopg
from local_gateway import Answer, Request

SAFE_KEY = re.compile(r"[\w/!.\-*'() &$@=;:+,?]+", re.ASCII)
ROUTES = re.compile(
    r"/storage/v1/(?:(?P<list>object/list)|(?P<sign>object/sign)|(?P<object>object)|"
    r"(?P<bucket>bucket))/(?P<id>[^/]+)(?:/(?P<key>.+))?"
)


class StorageStub:
    """Answers requests under /storage/v1."""

    def __init__(self, database_url: str, secret: str) -> None:
        self._url, self._secret = database_url, secret
        self.blobs: dict[str, bytes] = {}
        self.tamper: Callable[[Answer], Answer] = lambda answer: answer

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        parts = urlsplit(request.path)
        route = ROUTES.fullmatch(parts.path)
        if route is None:
            return _error(404, "not_found", "Route not found", "NotFound")
        if route["sign"] and request.method == "GET":
            key = unquote(route["key"] or "")
            return self._signed(key, parse_qs(parts.query).get("token", [""])[0])
        try:
            claims = jwt.decode(
                request.token, self._secret, algorithms=["HS256"], options={"verify_aud": False}
            )
            return self._answer(claims, route, request)
        except jwt.InvalidTokenError:
            return _error(403, "Unauthorized", "signature verification failed", "AccessDenied")
        except psycopg.errors.InsufficientPrivilege:
            message = "new row violates row-level security policy"
            return _error(403, "Unauthorized", message, "AccessDenied")
        except psycopg.errors.ForeignKeyViolation:
            return _error(404, "Bucket not found", "Bucket not found", "NoSuchBucket")

    def _answer(self, claims: dict[str, Any], route: re.Match[str], request: Request) -> Answer:
        bucket, key = route["id"], unquote(route["key"] or "")
        options = json.loads(request.body) if _is_json(request) else {}
        if route["bucket"]:
            return self._bucket(claims, bucket)
        if route["list"]:
            return self._list(claims, bucket, options)
        if route["sign"]:
            return self._sign(claims, bucket, key, options)
        if request.method == "DELETE":
            return self._remove(claims, bucket, options["prefixes"])
        if request.method == "GET":
            return self._download(claims, bucket, key)
        return self._upload(claims, bucket, key, request)

    def _rows(self, claims: dict[str, Any], statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url) as connection:
            connection.execute(
                "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
                (claims["role"], json.dumps(claims)),
            )
            return connection.execute(statement, values).fetchall()

    def _bucket(self, claims: dict[str, Any], bucket: str) -> Answer:
        found = self._rows(
            claims,
            "select id, name, public, file_size_limit from storage.buckets where id = %s",
            bucket,
        )
        if not found:
            return _error(404, "Bucket not found", "Bucket not found", "NoSuchBucket")
        names = ("id", "name", "public", "file_size_limit")
        row = dict(zip(names, found[0], strict=True))
        stamp = "2026-11-23T19:33:24.952Z"
        more = {"owner": "", "allowed_mime_types": None, "created_at": stamp, "updated_at": stamp}
        return Answer.of(200, row | more)

    def _upload(self, claims: dict[str, Any], bucket: str, key: str, request: Request) -> Answer:
        if not SAFE_KEY.fullmatch(key):
            return _error(400, "InvalidKey", f"Invalid key: {key}", "InvalidKey")
        content, kind = _file_part(request)
        limits = self._rows(
            {"role": "service_role"},
            "select file_size_limit from storage.buckets where id = %s",
            bucket,
        )
        if limits and limits[0][0] is not None and len(content) > limits[0][0]:
            message = "The object exceeded the maximum allowed size"
            return _error(413, "Payload too large", message, "EntityTooLarge")
        metadata = json.dumps({"size": len(content), "mimetype": kind})
        insert = (
            "insert into storage.objects (bucket_id, name, owner_id, metadata)"
            " values (%s, %s, %s, %s)"
        )
        if request.headers.get("x-upsert") == "true":
            insert += " on conflict (bucket_id, name) do update set metadata = excluded.metadata"
        try:
            rows = self._rows(
                claims, insert + " returning id", bucket, key, claims.get("sub"), metadata
            )
        except psycopg.errors.UniqueViolation:
            message = "The resource already exists"
            return _error(409, "Duplicate", message, "KeyAlreadyExists")
        self.blobs[f"{bucket}/{key}"] = content
        return Answer.of(200, {"Key": f"{bucket}/{key}", "Id": str(rows[0][0])})

    def _exists(self, claims: dict[str, Any], bucket: str, key: str) -> bool:
        query = "select 1 from storage.objects where bucket_id = %s and name = %s"
        return bool(self._rows(claims, query, bucket, key)) and f"{bucket}/{key}" in self.blobs

    def _download(self, claims: dict[str, Any], bucket: str, key: str) -> Answer:
        if not self._exists(claims, bucket, key):
            return _no_object()
        headers = {"content-type": "application/octet-stream", "cache-control": "max-age=3600"}
        return self.tamper(Answer(200, self.blobs[f"{bucket}/{key}"], headers))

    def _sign(
        self, claims: dict[str, Any], bucket: str, key: str, options: dict[str, Any]
    ) -> Answer:
        if not self._exists(claims, bucket, key):
            return _no_object()
        until = 1_795_462_405 + int(options["expiresIn"])
        token = jwt.encode({"url": f"{bucket}/{key}", "until": until}, self._secret, "HS256")
        return Answer.of(200, {"signedURL": f"/object/sign/{bucket}/{key}?token={token}"})

    def _signed(self, key: str, token: str) -> Answer:
        try:
            url = jwt.decode(token, self._secret, algorithms=["HS256"])["url"]
        except jwt.InvalidTokenError:
            return _error(400, "InvalidJWT", "jwt malformed", "InvalidJWT")
        if not url.endswith(f"/{key}") or url not in self.blobs:
            return _no_object()
        return Answer(200, self.blobs[url], {"content-type": "application/octet-stream"})

    def _list(self, claims: dict[str, Any], bucket: str, options: dict[str, Any]) -> Answer:
        folder = f"{options['prefix'].rstrip('/')}/" if options["prefix"] else ""
        rows = self._rows(
            claims,
            "select name, id, created_at from storage.objects"
            " where bucket_id = %s and starts_with(name, %s) order by name",
            bucket,
            folder,
        )
        entries: dict[str, dict[str, Any]] = {}
        for name, number, stamp in rows:
            head, slash, _ = name.removeprefix(folder).partition("/")
            told = {
                "id": str(number),
                "created_at": stamp.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            }
            entries[head] = {"name": head} | ({"id": None, "created_at": None} if slash else told)
        found = [entries[name] for name in sorted(entries)]
        return Answer.of(200, found[options["offset"] :][: options["limit"]])

    def _remove(self, claims: dict[str, Any], bucket: str, keys: list[str]) -> Answer:
        rows = self._rows(
            claims,
            "delete from storage.objects where bucket_id = %s and name = any(%s) returning name",
            bucket,
            keys,
        )
        for (name,) in rows:
            self.blobs.pop(f"{bucket}/{name}", None)
        return Answer.of(
            200, [{"name": name, "bucket_id": bucket, "id": str(uuid4())} for (name,) in rows]
        )


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/json")


def _file_part(request: Request) -> tuple[bytes, str]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + request.body)
    for part in message.iter_parts():
        if part.get_param("name", header="content-disposition") == "file":
            boundary = str(message.get_param("boundary")).encode()
            raw = request.body.split(b"--" + boundary)[-2].split(b"\r\n\r\n", 1)[1]
            return raw.removesuffix(b"\r\n"), part.get_content_type()
    raise AssertionError("the upload has no part named file")


def _error(status: int, error: str, message: str, code: str) -> Answer:
    """Storage says 400 and puts the status, as text, into the body."""
    return Answer.of(
        400, {"statusCode": str(status), "error": error, "message": message, "code": code}
    )


def _no_object() -> Answer:
    return _error(404, "not_found", "Object not found", "NoSuchKey")
