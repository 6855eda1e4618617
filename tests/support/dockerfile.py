"""The steps of a Dockerfile, carried out below a folder instead of in a container.

Understands what ours uses: FROM, WORKDIR, COPY, RUN, ENV, USER, VOLUME, EXPOSE, HEALTHCHECK,
ENTRYPOINT and CMD. Absolute paths that the image makes (/app, /src, /data) lie below the folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

MADE = ("/app", "/src", "/data")
SECONDS = 1500


class Image:
    """An image that is built step by step.

    Attributes:
        root: what stands for / of the last stage.
        environment: as ENV says.
        entrypoint: the program and its first arguments.
        command: its arguments where none are given.
        user: who runs it.
        done: the RUN steps that were carried out.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment: dict[str, str] = {}
        self.entrypoint: list[str] = []
        self.command: list[str] = []
        self.user = "root"
        self.done: list[str] = []

    def placed(self, text: str) -> str:
        """The text with the image's own folders below `root`."""
        names = "|".join(re.escape(name) for name in MADE)
        return re.sub(rf"(?<![\w/.])({names})(?=[/\s:]|$)", rf"{self.root}\1", text)

    def run(self, *arguments: str) -> str:
        """Run the image's entrypoint; what it prints."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root / "data")}
        for name, value in self.environment.items():
            environment[name] = self.placed(value).replace("$PATH", os.environ["PATH"])
        program = shutil.which(self.entrypoint[0], path=environment["PATH"])
        assert program
        assert program.startswith(str(self.root)), program
        answer = subprocess.run(
            [program, *self.entrypoint[1:], *(arguments or self.command)],
            env=environment,
            cwd=self.root / "data",
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout


def steps(text: str) -> list[tuple[str, str]]:
    """Instruction and argument of each step."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (line.split(maxsplit=1)[0].upper(), line.split(maxsplit=1)[1].strip())
        for line in joined.splitlines()
        if line.strip()
    ]


def build(dockerfile: Path, context: Path, root: Path, wanted: Callable[[str], bool]) -> Image:
    """Carry the steps out.

    Args:
        dockerfile: what to build.
        context: the folder that COPY copies from.
        root: an empty folder.
        wanted: asked for each RUN step whether to carry it out.
    """
    image = Image(root)
    work = root
    for name in MADE:
        (root / name.lstrip("/")).mkdir()
    for instruction, argument in steps(dockerfile.read_text()):
        match instruction:
            case "WORKDIR":
                work = Path(image.placed(argument))
            case "COPY" if not argument.startswith("--from"):
                *sources, target = argument.split()
                for source in sources:
                    _copy(context / source, work / target, whole=len(sources) == 1)
            case "RUN" if wanted(argument):
                _run(image, argument, work)
            case "ENV" | "USER" | "ENTRYPOINT" | "CMD":
                _note(image, instruction, argument)
            case "FROM" | "COPY" | "RUN" | "VOLUME" | "EXPOSE" | "HEALTHCHECK":
                pass
            case other:
                raise AssertionError(f"an instruction that this test does not know: {other}")
    return image


def _note(image: Image, instruction: str, argument: str) -> None:
    if instruction == "ENV":
        image.environment |= dict(pair.split("=", 1) for pair in argument.split())
    elif instruction == "USER":
        image.user = argument
    elif instruction == "ENTRYPOINT":
        image.entrypoint = json.loads(argument)
    else:
        image.command = json.loads(argument)


def _copy(source: Path, target: Path, *, whole: bool) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif whole and not str(target).endswith("/") and not target.is_dir():
        shutil.copy(source, target)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target / source.name)


def _run(image: Image, argument: str, work: Path) -> None:
    command = re.sub(r"^python ", f"{sys.executable} ", image.placed(argument))
    keep = (
        "PATH",
        "HOME",
        "UV_",
        "PIP_",
        "SSL_",
        "REQUESTS_",
        "HTTP",
        "http",
        "NO_PROXY",
        "no_proxy",
    )
    answer = subprocess.run(
        ["/bin/sh", "-e", "-c", command],
        cwd=work,
        env={name: value for name, value in os.environ.items() if name.startswith(keep)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert answer.returncode == 0, f"{argument}\n{answer.stdout}\n{answer.stderr}"
    image.done.append(argument)
