"""What a run needs and whether it is there: environment, keys, endpoint, store, disk, trainer. Nothing is written."""

from selftaught_builder.doctor.examine import examine
from selftaught_builder.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
