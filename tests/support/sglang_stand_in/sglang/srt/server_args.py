"""The stand-in's options, declared as SGLang 0.5.23 declares its own; the builder reads this file and never imports it."""

# ruff: noqa: F722, F821

from __future__ import annotations


class Fields:
    model_path: A[str, Arg(help="The path of the model weights.", aliases=["--model"])]
    served_model_name: A[Optional[str], "The model name returned by the v1/models endpoint."] = None
    weight_version: A[str, "Version identifier for the model weights."] = "default"
    host: A[str, "The host of the HTTP server."] = "127.0.0.1"
    port: A[int, "The port of the HTTP server."] = 30000
    tp_size: A[int, Arg(help="The tensor parallelism size.", aliases=["--tensor-parallel-size"])] = 1
    mem_fraction_static: A[Optional[float], "The fraction of the memory used for static allocation."] = None
    enable_lora: A[Optional[bool], "Enable LoRA support for the model."] = None
    max_lora_rank: A[Optional[int], "The maximum rank of LoRA adapters."] = None
    lora_target_modules: A[Optional[list[str]], Arg(help="The target modules of LoRA.", nargs="*")] = None
    random_seed: A[Optional[int], "The random seed."] = None
