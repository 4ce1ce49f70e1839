"""How fast endpoints are asked: how many requests at once, how many a minute, which of several, and none while one is dead."""

from selftaught_builder.concurrency.dispatch import Dispatch, Lane, Ticket
from selftaught_builder.concurrency.gate import Gate

__all__ = ["Dispatch", "Gate", "Lane", "Ticket"]
