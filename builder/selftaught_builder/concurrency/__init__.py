"""How fast an endpoint is asked: how many requests at once, how many a minute, and not at all while it is dead."""

from selftaught_builder.concurrency.throttle import Throttle, throttle_of

__all__ = ["Throttle", "throttle_of"]
