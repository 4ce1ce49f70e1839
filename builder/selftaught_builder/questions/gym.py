"""Questions made by reasoning-gym: `gym://TASK?seed=1&size=500` is the same questions on every machine.

Procedural tasks and their answers: Stojanovski et al. 2025, arXiv 2505.24760.
"""

from __future__ import annotations

import difflib
import json
import warnings
from typing import Any
from urllib.parse import parse_qsl

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions.rows import NumberedRows

_PLACE = "questions.source"


def read_gym(source: str) -> NumberedRows:
    """Yield (number, {"question", "answer", "metadata", "gym"}) of a reasoning-gym task.

    The parameters are the task's own; values are read as JSON where they are JSON, else as text. `seed` and `size` are
    0 and 500 where absent, so that a source always means the same questions.

    Raises:
        QuestionError: the extra is not installed, the task is unknown, or refuses a parameter.
    """
    task, _, query = source.removeprefix("gym://").partition("?")
    settings = {"seed": 0, "size": 500} | {key: _value(text) for key, text in parse_qsl(query, keep_blank_values=True)}
    questions = _create(task.strip("/"), settings)
    own = {name: value for name, value in settings.items() if name not in ("seed", "size")}
    for number in range(1, len(questions) + 1):
        entry = questions[number - 1]
        # Its own scorer, the verifier `gym`, wants the entry as it was made.
        made = {"task": task.strip("/"), "entry": json.loads(json.dumps(entry, default=str)), "settings": own}
        yield number, {"id": f"{task.strip('/')}-{settings['seed']}-{number}", "gym": made} | entry


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _create(task: str, settings: dict[str, Any]) -> Any:
    gym = _import_gym()
    if task not in gym.factory.DATASETS:
        known = sorted(gym.factory.DATASETS)
        close = difflib.get_close_matches(task, known, n=3)
        mend = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(known)}."
        raise QuestionError(f"reasoning-gym has no task `{task}`", place=_PLACE, mend=mend)
    try:
        return gym.create_dataset(task, **settings)
    except Exception as error:  # each task checks its parameters in its own way, most with assert
        message = f"the task `{task}` refuses {settings}: {error}"
        raise QuestionError(message[:400], place=_PLACE, mend="Mend the parameters after the `?`.") from None


def _import_gym() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a dependency of it compiles with SyntaxWarnings
            import reasoning_gym
    except ImportError:
        mend = "Install the extra: pip install 'selftaught[gym]'."
        raise QuestionError("gym:// needs reasoning-gym", place=_PLACE, mend=mend) from None
    return reasoning_gym
