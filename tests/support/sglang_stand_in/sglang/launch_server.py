"""A stand-in for `python -m sglang.launch_server`: SGLang itself does not run on a CPU without AMX.

It takes the real command line (an unknown option ends it, as argparse does), listens, answers 503 to /health while it loads,
and speaks exactly the routes that the builder uses, as release 0.5.23 does (entrypoints/http_server.py): among them

- /update_weights_from_disk makes the path the served name, and while a request is under way answers 400 with the weights
  changed but path and version as they were;
- a chat that names an adapter as its model gets the base's answer; only `lora_path` reaches the adapter.

A reply tells which weights gave it: a hash over the tensors that were read when they were loaded. What it should do wrong
stands in $STAND_IN: `die` while loading or after `die_after=N` completions, `no_version` (an old SGLang), `wrong_path` (keeps
the first model whatever it is told), `rewritten` (the folder changes while it is loaded), `late` (never gets healthy).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

FAULTS = os.environ.get("STAND_IN", "").split()


def tensors_of(path: str) -> str:
    """Return what identifies the weights at a path; an id such as `org/name` is taken for weights of a hub."""
    if Path(path).is_dir():
        files = sorted(Path(path).glob("*.safetensors"))
        if not files:
            raise FileNotFoundError(f"Cannot find any model weights with `{path}`")
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    if path.startswith("/") or path.count("/") != 1:
        raise FileNotFoundError(f"{path} is no folder and no repo id")
    return hashlib.sha256(path.encode()).hexdigest()[:12]


def rewrite(path: str) -> None:
    """Write other weights into a folder."""
    next(Path(path).glob("*.safetensors")).write_bytes(b"the next round's")


class StandIn:
    """The server's state and handlers."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.path, self.name = options.model_path, options.served_model_name or options.model_path
        self.version, self.tensors = options.weight_version, tensors_of(options.model_path)
        self.adapters: dict[str, tuple[str, str]] = {}
        self.completions = self.in_flight = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.requests: list[str] = []

    def application(self) -> web.Application:
        """Return the routes."""
        app = web.Application(middlewares=[self.note])
        app.router.add_get("/health", self.health)
        app.router.add_get("/model_info", self.model_info)
        app.router.add_get("/get_model_info", self.model_info)
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/chat/completions", self.complete)
        app.router.add_post("/v1/completions", self.complete)
        app.router.add_post("/update_weights_from_disk", self.update_weights)
        app.router.add_post("/load_lora_adapter", self.load_adapter)
        app.router.add_post("/unload_lora_adapter", self.unload_adapter)
        app.router.add_get("/stand_in/requests", self.seen)
        app.router.add_post("/stand_in/hold", self.set_hold)
        return app

    @web.middleware
    async def note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if not request.path.startswith("/stand_in"):
            self.requests.append(request.path)
        return await handler(request)

    async def seen(self, request: web.Request) -> web.Response:
        return web.json_response({"paths": self.requests, "pid": os.getpid(), "argv": sys.argv[1:]})

    async def set_hold(self, request: web.Request) -> web.Response:
        """Keep completions waiting, or let them go."""
        if (await request.json())["hold"]:
            self.hold.clear()
        else:
            self.hold.set()
        return web.json_response({})

    async def health(self, request: web.Request) -> web.Response:
        return web.Response(status=503 if "late" in FAULTS else 200)

    async def model_info(self, request: web.Request) -> web.Response:
        info = {"model_path": self.path, "served_model_name": self.name, "weight_version": self.version}
        if "no_version" in FAULTS:
            if request.path == "/model_info":
                raise web.HTTPNotFound
            info = {"model_path": self.path}
        return web.json_response(info)

    async def models(self, request: web.Request) -> web.Response:
        rows = [{"id": self.name, "root": self.name, "parent": None}]
        rows += [{"id": name, "root": path, "parent": self.name} for name, (path, _) in self.adapters.items()]
        return web.json_response({"object": "list", "data": rows})

    async def complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.completions += 1
        if f"die_after={self.completions}" in FAULTS:
            os._exit(9)
        self.in_flight += 1
        try:
            await self.hold.wait()
        finally:
            self.in_flight -= 1
        tensors, asked = self.tensors, body.get("lora_path")
        if asked:
            if asked not in self.adapters:
                return web.json_response({"message": f"adapter that has never been loaded: {asked}"}, status=400)
            tensors = f"{tensors}+{self.adapters[asked][1]}"
        text = f"{tensors} says {body.get('seed')}"
        said = {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
        choice = {"index": 0, "finish_reason": "stop", **said}
        usage = {"prompt_tokens": 3, "completion_tokens": 3}
        return web.json_response({"id": "1", "model": body["model"], "choices": [choice], "usage": usage})

    async def update_weights(self, request: web.Request) -> web.Response:
        body = await request.json()
        try:
            found = tensors_of(body["model_path"])
        except FileNotFoundError as error:
            return _result(False, f"Failed to get weights iterator: {error}.")
        if "wrong_path" not in FAULTS:
            self.tensors = found
        if self.in_flight:
            return _result(
                False,
                "Weights were updated, but the cache was not flushed because requests are still running or queued. "
                "Retract or finish them, then call /flush_cache.",
            )
        if "wrong_path" not in FAULTS:
            self.name = self.path = body["model_path"]
        self.version = body.get("weight_version") or self.version
        if "rewritten" in FAULTS:
            rewrite(body["model_path"])
        return _result(True, "Succeeded to update model weights.")

    async def load_adapter(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not self.options.enable_lora:
            return _lora(False, "LoRA is not enabled. Please set `--enable-lora` to enable LoRA.")
        if body["lora_name"] in self.adapters:
            return _lora(False, f"LoRA adapter {body['lora_name']} is already loaded.")
        rank = json.loads((Path(body["lora_path"]) / "adapter_config.json").read_text()).get("r", 8)
        if rank > self.options.max_lora_rank:
            return _lora(False, f"rank {rank} is incompatible with the current LoRA memory pool configuration.")
        self.adapters[body["lora_name"]] = (body["lora_path"], tensors_of(body["lora_path"]))
        return _lora(True)

    async def unload_adapter(self, request: web.Request) -> web.Response:
        name = (await request.json())["lora_name"]
        return _lora(self.adapters.pop(name, None) is not None, f"LoRA with name {name} does not exist.")


def _result(success: bool, message: str) -> web.Response:
    body = {"success": success, "message": message, "num_paused_requests": 0}
    return web.json_response(body, status=200 if success else 400)


def _lora(success: bool, message: str | None = None) -> web.Response:
    body = {"success": success, "error_message": None if success else message}
    return web.json_response(body, status=200 if success else 400)


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="sglang serve", allow_abbrev=False)
    for name in ("--model-path", "--served-model-name"):
        parser.add_argument(name, required=name == "--model-path")
    parser.add_argument("--weight-version", default="default")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=30000)
    parser.add_argument("--tp-size", type=int, default=1)
    parser.add_argument("--mem-fraction-static", type=float)
    parser.add_argument("--enable-lora", action="store_true")
    parser.add_argument("--max-lora-rank", type=int)
    parser.add_argument("--lora-target-modules", nargs="*")
    options = parser.parse_args()
    print(f"server_args: {options}", file=sys.stderr, flush=True)
    if "die" in FAULTS:
        print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.", file=sys.stderr, flush=True)
        os._exit(1)
    web.run_app(
        StandIn(options).application(),
        host=options.host,
        port=options.port,
        print=None,
        access_log=None,
        shutdown_timeout=0.1,
    )


if __name__ == "__main__":
    main()
