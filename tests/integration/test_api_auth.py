"""Who may call, and what they see of others: over real HTTP, with real keys and tokens."""

from __future__ import annotations

import json
import random
import string
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import httpx
import jwt
import pytest
from api_server import client_of, running
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from inbox.interface import Scope
from inbox.service import Inbox
from inbox.settings import Settings

SUBMIT = "/classify-documents-async"
SECRET = "a secret of a project of more than thirty-two characters"
FILES = [("files", ("a.txt", b"Dear Sir or Madam, thank you."))]


@pytest.fixture
def closed(settings: Settings) -> Settings:
    """Settings with which everybody is asked."""
    return settings.model_copy(update={"auth": "required", "jwt_secret": SecretStr(SECRET)})


@pytest.fixture
def client(closed: Settings) -> Iterator[httpx.Client]:
    """A client without credentials."""
    with running(closed) as server, client_of(server) as opened:
        yield opened


def bearer(credentials: str) -> dict[str, str]:
    """The header that brings them."""
    return {"Authorization": f"Bearer {credentials}"}


def token(user: str, secret: str = SECRET, **claims: object) -> str:
    """An access token as Supabase's Auth makes them."""
    at = datetime.now(UTC)
    fields = {"sub": user, "aud": "authenticated", "exp": at + timedelta(hours=1), "iat": at}
    return jwt.encode(fields | claims, secret, algorithm="HS256")


def submitted(client: httpx.Client, credentials: str) -> str:
    """A job of whoever has these credentials."""
    answer = client.post(SUBMIT, files=FILES, headers=bearer(credentials))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def test_nobody_gets_in_without_credentials(client: httpx.Client) -> None:
    """401 with a challenge for every route but health, the reference and links of their own."""
    public = {"/healthz": 200, "/download/{token}": 410}
    paths = json.loads(client.get("/openapi.json").text)["paths"]
    for path, operations in paths.items():
        for method in operations:
            url = path.replace("{", "").replace("}", "").replace("_id", str(uuid4()))
            answer = client.request(method, url)
            assert answer.status_code == public.get(path, 401), (method, path, answer.text)
    refused = client.get("/jobs")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert refused.json()["code"] == "unauthenticated"


def test_a_refusal_is_read_though_a_body_is_sent(client: httpx.Client) -> None:
    """A client that sends eight megabytes first reads 401, not a reset connection."""
    big = [("files", ("big.bin", b"x" * 8 * 1024 * 1024))]
    assert client.post(SUBMIT, files=big).status_code == 401


def test_a_client_sees_its_own_jobs_and_no_others(client: httpx.Client, inbox: Inbox) -> None:
    """404 for everything of somebody else's, by key and by token, in lists too."""
    _, one = inbox.create_key("one", "client-one")
    _, two = inbox.create_key("two", "client-two")
    user = str(uuid4())
    job = {who: submitted(client, who) for who in (one, two, token(user))}
    for who, own in job.items():
        listed = client.get("/jobs", headers=bearer(who)).json()["jobs"]
        assert [each["job_id"] for each in listed] == [own]
        for other in set(job.values()) - {own}:
            for method, path in (
                ("GET", f"/job/{other}"),
                ("GET", f"/job/{other}/events"),
                ("POST", f"/job/{other}/cancel"),
                ("POST", f"/job/{other}/retry"),
                ("DELETE", f"/job/{other}"),
            ):
                answer = client.request(method, path, headers=bearer(who))
                assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
        assert client.get(f"/job/{own}", headers=bearer(who)).status_code == 200
    assert len(inbox.list(client_id=user)) == 1


def test_webhooks_are_of_their_client(client: httpx.Client, inbox: Inbox) -> None:
    """Another client's webhook and its log cannot be seen or touched."""
    _, one = inbox.create_key("one", "client-one")
    _, two = inbox.create_key("two", "client-two")
    wanted = {"url": "https://example.com/hook"}
    made = client.post("/webhooks", json=wanted, headers=bearer(one)).json()
    assert client.get("/webhooks", headers=bearer(two)).json() == {"webhooks": []}
    for method, path in (
        ("DELETE", f"/webhooks/{made['id']}"),
        ("POST", f"/webhooks/{made['id']}/test"),
        ("POST", f"/webhooks/{made['id']}/enable"),
        ("GET", f"/webhooks/{made['id']}/messages"),
    ):
        assert client.request(method, path, headers=bearer(two)).status_code == 404
    assert "secret" not in client.get("/webhooks", headers=bearer(one)).json()["webhooks"][0]


def test_scopes_are_kept_apart(client: httpx.Client, inbox: Inbox) -> None:
    """A key that may read may not submit, delete or see the metrics; and so on."""
    keys = {scope: inbox.create_key(scope, "client", [scope])[1] for scope in Scope}
    for scope, key in keys.items():
        answers = {
            Scope.READ: client.get("/jobs", headers=bearer(key)),
            Scope.SUBMIT: client.post(SUBMIT, files=FILES, headers=bearer(key)),
            Scope.MANAGE: client.delete(f"/job/{uuid4()}", headers=bearer(key)),
            Scope.METRICS: client.get("/metrics", headers=bearer(key)),
        }
        for needed, answer in answers.items():
            assert (answer.status_code == 403) == (needed is not scope), (scope, needed)
            if needed is not scope:
                assert answer.json()["code"] == "scope_missing"


def test_a_key_ends(closed: Settings, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Revoked or expired, it is good for nothing."""
    monkeypatch.setattr("inbox.api.auth.REMEMBERED_SECONDS", 0.0)
    past = datetime.now(UTC) - timedelta(minutes=1)
    _, expired = inbox.create_key("old", "client", expires_at=past)
    key, revoked = inbox.create_key("new", "client")
    with running(closed) as server, client_of(server) as client:
        assert client.get("/jobs", headers=bearer(expired)).status_code == 401
        assert client.get("/jobs", headers=bearer(revoked)).status_code == 200
        inbox.revoke_key(key.id)
        assert client.get("/jobs", headers=bearer(revoked)).status_code == 401
    assert [each.revoked_at is None for each in inbox.api_keys()] == [True, False]


def test_a_key_has_a_rate(client: httpx.Client, inbox: Inbox) -> None:
    """Sixty a minute is a burst of ten, then 429 with the seconds to wait; others go on."""
    _, slow = inbox.create_key("slow", "client", per_minute=60)
    _, other = inbox.create_key("other", "client")
    answers = [client.get("/jobs", headers=bearer(slow)) for _ in range(30)]
    codes = [answer.status_code for answer in answers]
    assert codes[:10] == [200] * 10
    assert 429 in codes
    assert all(int(a.headers["retry-after"]) >= 1 for a in answers if a.status_code == 429)
    assert client.get("/jobs", headers=bearer(other)).status_code == 200


def test_tokens_that_are_not_good_are_refused(client: httpx.Client) -> None:
    """Expired, of another secret, for another audience, unsigned, without a user, or nonsense."""
    user = str(uuid4())
    past = datetime.now(UTC) - timedelta(minutes=5)
    unsigned = jwt.encode({"sub": user, "aud": "authenticated", "exp": 9e9}, "", algorithm="none")
    wrong = [
        token(user, exp=past),
        token(user, secret="another secret of more than thirty-two characters"),
        token(user, aud="anon"),
        token(""),
        unsigned,
        "a.b.c",
        "x" * 5000,
    ]
    for each in wrong:
        assert client.get("/jobs", headers=bearer(each)).status_code == 401
    assert client.get("/jobs", headers=bearer(token(user))).status_code == 200


def test_public_keys_check_tokens(closed: Settings) -> None:
    """ES256 tokens by the project's public keys; and no public key is taken for a secret."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key()))
    body = json.dumps({"keys": [public | {"kid": "k1", "alg": "ES256", "use": "sig"}]}).encode()

    class Keys(BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self) -> None:
            Keys.asked += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    def signed(kid: str) -> str:
        claims = {"sub": "user", "aud": "authenticated", "exp": 9e9}
        return jwt.encode(claims, private, algorithm="ES256", headers={"kid": kid})

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as keys:
        thread = threading.Thread(target=keys.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{keys.server_port}/jwks.json"
        wanted = closed.model_copy(update={"jwt_secret": None, "jwks_url": address})
        try:
            with running(wanted) as server, client_of(server) as client:
                assert client.get("/jobs", headers=bearer(signed("k1"))).status_code == 200
                for _ in range(20):
                    assert client.get("/jobs", headers=bearer(signed("?"))).status_code == 401
                confused = token("user", secret=public["x"] + public["y"])
                assert client.get("/jobs", headers=bearer(confused)).status_code == 401
        finally:
            keys.shutdown()
            thread.join()
    assert Keys.asked <= 3


def test_the_first_key_closes_the_door(
    settings: Settings, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On this machine the API is open until there is a key, and stays closed when it is revoked."""
    monkeypatch.setattr("inbox.api.auth.REMEMBERED_SECONDS", 0.0)
    with running(settings) as server, client_of(server) as client:
        assert client.get("/jobs").status_code == 200
        key, text = inbox.create_key("first", "local")
        assert client.get("/jobs").status_code == 401
        assert client.get("/jobs", headers=bearer(text)).status_code == 200
        inbox.revoke_key(key.id)
        assert client.get("/jobs").status_code == 401


def test_a_thousand_wrong_tokens_learn_nothing(
    closed: Settings, inbox: Inbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every operation, at random: one answer, whether what it is about is there or not."""
    _, key = inbox.create_key("owner", "owner")
    dice = random.Random(7)
    asked: set[tuple[str, str]] = set()
    bodies: set[str] = set()
    with running(closed) as server, client_of(server) as client:
        job_id = submitted(client, key)
        inbox.work()
        before = client.get(f"/job/{job_id}", headers=bearer(key)).json()
        (file,) = before["result"]["results"]
        webhook = {"url": "https://example.com/secret-path"}
        hook = client.post("/webhooks", json=webhook, headers=bearer(key)).json()
        there = {"job_id": job_id, "file_id": file["file_id"], "webhook_id": hook["id"]}
        guarded = [
            (method, path)
            for path, operations in client.get("/openapi.json").json()["paths"].items()
            for method, operation in operations.items()
            if "security" in operation
        ]
        for _ in range(1000):
            method, path = dice.choice(guarded)
            known = dice.random() < 0.5
            values = {name: there[name] if known else str(uuid4()) for name in there}
            place = path.format_map({"number": "1", "name": "a", "message_id": uuid4()} | values)
            headers = bearer(_wrong(dice, key)) | {"X-Client-Id": "owner"}
            answer = client.request(method, place, headers=headers, params={"client_id": "owner"})
            assert answer.status_code == 401, f"{method} {place}"
            assert "etag" not in answer.headers
            asked.add((method, path))
            bodies.add(answer.text)
        assert asked == set(guarded)
        assert len(bodies) == 1, bodies
        for _ in range(100):
            assert client.get(f"/download/{_wrong(dice, key)}").status_code == 410
        assert client.get(f"/job/{job_id}", headers=bearer(key)).json() == before
        (left,) = client.get("/webhooks", headers=bearer(key)).json()["webhooks"]
        assert left["id"] == hook["id"]
    out = "".join(capfd.readouterr())
    assert key not in out
    assert hook["secret"] not in out


def _wrong(dice: random.Random, key: str) -> str:
    """Credentials that are nearly, or not at all, like good ones."""
    position = dice.randrange(6, len(key))
    changed = "a" if key[position] != "a" else "b"
    letters = string.ascii_letters + string.digits + "-_."
    noise = "".join(dice.choices(letters, k=dice.randrange(1, 90)))
    return dice.choice(
        [
            key[:position] + changed + key[position + 1 :],
            key[:-1],
            key + "a",
            key.upper(),
            f"inbox_{noise}",
            noise,
            token("owner", secret=noise.ljust(40, "x")),
        ]
    )
