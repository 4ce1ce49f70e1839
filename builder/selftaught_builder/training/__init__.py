"""Training: from a dataset version to the next model, by Axolotl in an environment of its own."""

from selftaught_builder.training.environment import find_python, trainer_files
from selftaught_builder.training.errors import TrainingError, TrainingFailedError
from selftaught_builder.training.launch import Progress, Trained, Trainer, only_trainer
from selftaught_builder.training.render import Order, render_command, render_yaml

__all__ = [
    "Order",
    "Progress",
    "Trained",
    "Trainer",
    "TrainingError",
    "TrainingFailedError",
    "find_python",
    "only_trainer",
    "render_command",
    "render_yaml",
    "trainer_files",
]
