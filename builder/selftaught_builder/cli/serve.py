"""Commands that serve: serve."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="smollm2-135m-instruct, a GGUF file, or a Llama checkpoint's folder."),
    ],
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="The port on this machine; 0 takes a free one.")
    ] = 8080,
    slots: Annotated[int | None, typer.Option(metavar="N", min=1, help="Requests served at once.")] = None,
    context: Annotated[int, typer.Option(metavar="N", min=1, help="Tokens of context per slot.")] = 2048,
) -> None:
    """Serve a model on this machine. It has OpenAI's routes, and runs until Ctrl-C."""
    from selftaught_builder.cli.show.terminal import console
    from selftaught_builder.serving.local import LlamaServer, resolve_model

    resolved = resolve_model(model)
    with LlamaServer(resolved, slots=slots, context=context, port=port) as server:
        console.print(f"{resolved.name} at {server.base_url}  ({resolved.weights}); Ctrl-C stops it", markup=False)
        try:
            server.wait()
        except KeyboardInterrupt:
            return
    raise typer.Exit(1)
