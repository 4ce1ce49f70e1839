"""A stand-in for SGLang, which does not run on a CPU without AMX; see `launch_server`."""
