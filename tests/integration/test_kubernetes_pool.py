"""The other two ways to run on Kubernetes: a pod for each job, and KEDA in place of an adapter.

There is no cluster here and prefect-kubernetes is not installed. What is checked is what can be:
the schemas of Kubernetes, that all parts name each other rightly, and that our job template is
the one that Prefect's server has for such pools, with more in it.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kubernetes_validate
import prefect
import prefect.server.api
import pytest
import yaml
from prefect.utilities.templating import apply_values

from inbox.api.metrics import GAUGES

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
POOL = DEPLOYMENTS / "kubernetes-pool"
KEDA = DEPLOYMENTS / "kubernetes-keda"
FOLDERS = (DEPLOYMENTS / "kubernetes", POOL, KEDA)
TEMPLATE = json.loads((POOL / "base-job-template.json").read_text())
KUBERNETES = ("1.30", "1.33")
OWN_SCHEMA = "keda.sh/v1alpha1"  # which kubernetes_validate does not know


def resources(folder: Path) -> Iterator[dict[str, Any]]:
    """What the files of a folder describe."""
    for path in sorted(folder.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from yaml.safe_load_all(path.read_text())


def built(folder: Path) -> list[dict[str, Any]]:
    """What Kustomize makes of a folder."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl was not found, so nothing could be built with Kustomize")
    answer = subprocess.run(
        [kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return list(yaml.safe_load_all(answer.stdout))


def prefects_own() -> dict[str, Any]:
    """The job template that Prefect's server has for pools of type kubernetes."""
    server = Path(prefect.server.api.__file__).parent
    known = json.loads(
        (server / "collections_data/views/aggregate-worker-metadata.json").read_text()
    )
    template = known["prefect-kubernetes"]["kubernetes"]["default_base_job_configuration"]
    assert isinstance(template, dict)
    return template


def is_in(part: Any, whole: Any) -> bool:
    """Whether all of a part stands in the whole, at the same places."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and is_in(value, whole[key]) for key, value in part.items()
        )
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(is_in, part, whole))
    return bool(part == whole)


def job_of_a_run() -> dict[str, Any]:
    """The Kubernetes job that Prefect's worker makes of the template for a run.

    Placeholders by Prefect's own function; then, as its worker does, the command becomes a list
    and the variables one of names and values. Two fields that Prefect insists on where
    Kubernetes does not know them are left out, as a cluster leaves them out.
    """
    variables = {
        name: each["default"]
        for name, each in TEMPLATE["variables"]["properties"].items()
        if "default" in each
    }
    variables |= {"command": "prefect flow-run execute", "name": "job-1", "labels": {"a": "b"}}
    variables |= {"env": {"PREFECT_API_URL": "http://prefect:4200/api"}}
    job = apply_values(TEMPLATE["job_configuration"], variables)["job_manifest"]
    spec = job["spec"]["template"]["spec"]
    assert (spec.pop("parallelism"), spec.pop("completions")) == (1, 1)
    (container,) = spec["containers"]
    container["args"] = shlex.split(container["args"])
    container["env"] = [{"name": name, "value": value} for name, value in container["env"].items()]
    assert isinstance(job, dict)
    return job


def test_the_template_is_prefects_and_more() -> None:
    """Every placeholder and variable of Prefect's is where its worker looks for it."""
    own = prefects_own()
    assert is_in(own["job_configuration"], TEMPLATE["job_configuration"])
    said = TEMPLATE["variables"]["properties"]
    assert set(said) == set(own["variables"]["properties"])
    for name, theirs in own["variables"]["properties"].items():
        assert (said[name].get("type"), said[name].get("enum")) == (
            theirs.get("type"),
            theirs.get("enum"),
        )
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(TEMPLATE["job_configuration"])))
    assert used == set(said)


@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_the_job_of_a_run_follows_the_schema(kubernetes: str) -> None:
    """With what a run is given; no field is unknown, no placeholder is left."""
    job = job_of_a_run()
    assert "{{" not in json.dumps(job)
    kubernetes_validate.validate(job, kubernetes, strict=True)


def test_the_pod_of_a_run_has_what_a_worker_has() -> None:
    """The same settings, volumes and confinement; and it runs Prefect, not the image's program."""
    job = job_of_a_run()
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (standing,) = (
        each["spec"]["template"]["spec"]
        for each in resources(DEPLOYMENTS / "kubernetes")
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "worker")
    )
    (model,) = standing["containers"]
    for name in (
        "automountServiceAccountToken",
        "enableServiceLinks",
        "securityContext",
        "terminationGracePeriodSeconds",
        "volumes",
    ):
        assert pod[name] == standing[name], name
    for name in ("envFrom", "securityContext", "volumeMounts"):
        assert container[name] == model[name], name
    assert container["resources"]["limits"]["memory"] == model["resources"]["limits"]["memory"]
    assert container["image"] == f"document-inbox:{version('document-inbox')}"
    assert [*container["command"], *container["args"]][:2] == ["env", "prefect"]
    assert job["spec"]["backoffLimit"] == 0  # the inbox counts attempts
    namespace = yaml.safe_load((POOL / "kustomization.yaml").read_text())["namespace"]
    assert job["metadata"]["namespace"] == namespace


@pytest.mark.parametrize("folder", [POOL, KEDA], ids=lambda folder: folder.name)
@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_manifests_follow_the_schemas(folder: Path, kubernetes: str) -> None:
    """Those of Kubernetes itself; KEDA's resource is looked at below."""
    found = list(resources(folder))
    assert found
    for resource in found:
        if resource["apiVersion"] != OWN_SCHEMA:
            kubernetes_validate.validate(resource, kubernetes, strict=True)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kustomize_builds_them(folder: Path) -> None:
    """All that is named is there, in one namespace, and follows the schemas."""
    found = built(folder)
    names = {(each["kind"], each["metadata"]["name"]) for each in found}
    namespaced = [each for each in found if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in namespaced} == {"document-inbox"}
    for resource in found:
        if resource["apiVersion"] != OWN_SCHEMA:
            kubernetes_validate.validate(resource, KUBERNETES[-1], strict=True)
    for pod in (each["spec"]["template"]["spec"] for each in found if "template" in spec_of(each)):
        for volume in pod["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in names
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            assert re.search(r":\d", container["image"]), container["image"]


def spec_of(resource: dict[str, Any]) -> dict[str, Any]:
    """What a resource is to be."""
    found = resource.get("spec", {})
    assert isinstance(found, dict)
    return found


def test_the_pool_takes_the_place_of_standing_workers() -> None:
    """No worker and no scaler of workers is left beside it."""
    names = {(each["kind"], each["metadata"]["name"]) for each in built(POOL)}
    assert {("Deployment", "pool-worker"), ("Job", "register"), ("Deployment", "api")} <= names
    assert not {("Deployment", "worker"), ("HorizontalPodAutoscaler", "worker")} & names


def test_the_pools_worker_may_make_jobs_and_no_more() -> None:
    """In its own namespace; it has no secret of ours, and pods of this folder do little."""
    found = {each["kind"]: each for each in resources(POOL)}
    for rule in found["Role"]["rules"]:
        assert "secrets" not in rule["resources"]
        assert "*" not in (*rule["resources"], *rule["verbs"])
        if rule["apiGroups"] == [""]:
            assert set(rule["verbs"]) == {"get", "list", "watch"}
    worker = found["Deployment"]["spec"]["template"]["spec"]
    assert worker["serviceAccountName"] == found["ServiceAccount"]["metadata"]["name"]
    assert found["RoleBinding"]["roleRef"]["name"] == found["Role"]["metadata"]["name"]
    assert "envFrom" not in worker["containers"][0]
    assert f":{prefect.__version__}-" in worker["containers"][0]["image"]
    register = found["Job"]["spec"]["template"]["spec"]
    assert register["automountServiceAccountToken"] is False
    for pod in (worker, register):
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            box = container["securityContext"]
            assert box["readOnlyRootFilesystem"] is True
            assert box["allowPrivilegeEscalation"] is False
            assert box["capabilities"] == {"drop": ["ALL"]}


def test_keda_scales_by_a_metric_that_there_is() -> None:
    """In place of the scaler that is there, by the depth of the queue."""
    (scaled,) = resources(KEDA)
    assert scaled["kind"] == "ScaledObject"
    assert scaled["spec"]["scaleTargetRef"] == {"name": "worker"}
    (trigger,) = scaled["spec"]["triggers"]
    asked = re.fullmatch(r"max\((\w+)\)", trigger["metadata"]["query"])
    assert asked is not None
    assert asked[1] in {name for _, name, _ in GAUGES}
    assert float(trigger["metadata"]["threshold"]) > 0
    left = {(each["kind"], each["metadata"]["name"]) for each in built(KEDA)}
    assert ("Deployment", "worker") in left
    assert not any(kind == "HorizontalPodAutoscaler" for kind, _ in left)
