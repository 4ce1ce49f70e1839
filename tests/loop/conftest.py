"""The trainer, and a tiny model to train."""

from train.conftest import tiny, trainer

__all__ = ["tiny", "trainer"]
