"""An `external` endpoint's start command for tests: tell the stand-in server at ROOT to serve the model under its new name.

python serve_hook.py ROOT [LATENCY]
"""

import json
import os
import sys
import urllib.request

root, latency = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
config = {"models": [os.environ["SELFTAUGHT_SERVED_NAME"]], "latency": latency}
request = urllib.request.Request(
    f"{root}/control/config", json.dumps(config).encode(), {"Content-Type": "application/json"}
)
urllib.request.urlopen(request, timeout=10).read()
