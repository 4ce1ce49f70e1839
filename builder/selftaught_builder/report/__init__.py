"""The report of a loop: what a run's rounds brought, read from the store and shown as tables, a figure and a page."""

from selftaught_builder.report.collect import LoopReport, collect

__all__ = ["LoopReport", "collect"]
