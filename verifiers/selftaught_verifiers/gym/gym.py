"""The row verifier `gym`: what reasoning-gym's own scorer says of the answer.

Some questions have many right answers (a puzzle's solutions), which only their task's scorer knows (Stojanovski et al.
2025, arXiv 2505.24760). The `answer` verifier stays the gate; this is a further check.

Several of those scorers hand the answer to `eval` or to sympy's parser, which evaluates too. Hence three fences: an
answer for such a task is refused unless it is a plain expression, the scorer runs in a process of its own that can be
killed, and that process has given up the network, writing files and starting programs (`sandbox.confine`).
"""

from __future__ import annotations

import copy
import importlib.util
import inspect
import json
import re
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from selftaught_verifiers.isolation.worker import Crashed, Failed, TimedOut, Worker
from selftaught_verifiers.sandbox import confine
from selftaught_verifiers.text.extract import MAX_LENGTH, Final, find_final, without_thinking
from selftaught_verifiers.text.plain import trim, unify, without_latex, words
from selftaught_verifiers.verdict.verdict import Outcome, Question, Rationale, Verdict, row_verifier

_SECONDS = 5.0
_MEMORY = 4 << 30
_LONGEST = 20_000
_EDGE = " \t\r\n*_`$.,;"


@row_verifier("gym", version="1")
def judge(question: Question, rationale: Rationale, *, threshold: float = 1.0) -> Verdict:
    """Pass where the task's scorer gives the completion's final answer at least `threshold`.

    The question's meta field `gym` holds {"task", "entry"}, the entry as reasoning-gym made it, and may hold the task's
    `settings`. The final answer is found as `answer` finds it; an answer of several lines stands in `<answer>` tags, or
    follows its marker for as many lines as the known one has. Its written forms (as it stands, without markup) are
    scored and the best counts.

    The reason is `scored`, `below_threshold`, `no_answer` or `unclosed_think`; of unscorable ones `not_gym`, `needs
    reasoning-gym`, `unknown_task`, `entry_unusable` (the scorer does not pass the known answer either),
    `nonsense_passes` (it passes anything, as one or two do where the known answer is no), `unsafe_answer`, `no
    sandbox`, `timeout`, or `crashed: WHY`.
    """
    gym = _gym(question.meta)
    if gym is None:
        return Verdict(Outcome.UNSCORABLE, "not_gym")
    if importlib.util.find_spec("reasoning_gym") is None:
        return Verdict(Outcome.UNSCORABLE, "needs reasoning-gym")
    visible = without_thinking(rationale.completion)
    if visible is None:
        return Verdict(Outcome.FAIL, "unclosed_think")
    known = gym["entry"].get("answer")
    answers = _answers(visible[-MAX_LENGTH:], question.kind, str(known or question.gold).count("\n") + 1)
    if not answers:
        return Verdict(Outcome.FAIL, "no_answer")
    settings = json.dumps(gym.get("settings") or {}, sort_keys=True)
    try:
        said = _worker().call(str(gym["task"]), settings, json.dumps(gym["entry"]), answers, threshold)
    except TimedOut:
        return Verdict(Outcome.UNSCORABLE, "timeout")
    except (Crashed, Failed) as error:
        return Verdict(Outcome.UNSCORABLE, f"crashed: {error}"[:300])
    return _verdict(said, answers, threshold)


def _verdict(said: Mapping[str, Any], answers: list[str], threshold: float) -> Verdict:
    if "problem" in said:
        return Verdict(Outcome.UNSCORABLE, said["problem"], answers[0][:500])
    score, best = said["score"], answers[said["best"]][:500]
    if score >= threshold:
        return Verdict(Outcome.PASS, "scored", best, score)
    return Verdict(Outcome.FAIL, "below_threshold", best, score)


def _gym(meta: Mapping[str, Any]) -> dict[str, Any] | None:
    gym = meta.get("gym")
    if isinstance(gym, str):
        try:
            gym = json.loads(gym)
        except ValueError:
            return None
    return gym if isinstance(gym, dict) and "task" in gym and isinstance(gym.get("entry"), dict) else None


def _answers(text: str, kind: str, lines: int) -> list[str]:
    """The final answer's written forms, each once."""
    final = find_final(text, kind)
    whole = final.text if final.enclosed or lines == 1 else _several_lines(final, text, lines)
    forms = [whole.strip("\n"), whole.strip(), whole.strip(_EDGE), unify(whole).strip(_EDGE)]
    if lines == 1:
        forms.append(trim(without_latex(unify(whole))))
    return [form for form in dict.fromkeys(forms) if form.strip() and len(form) <= _LONGEST]


def _several_lines(final: Final, text: str, lines: int) -> str:
    """The marked answer's first lines; where nothing marks it, the last ones of the text. Code fences do not count."""
    marked = f"{final.text}{final.after}" if final.strict else text.rstrip()
    found = [line for line in marked.strip("\n").split("\n") if not line.lstrip().startswith("```")]
    return "\n".join(found[:lines] if final.strict else found[-lines:])


_lock = threading.Lock()
_workers: list[Worker] = []


def _worker() -> Worker:
    with _lock:
        if not _workers:
            _workers.append(Worker("selftaught_verifiers.gym.gym:scorer", seconds=_SECONDS, memory=_MEMORY))
        return _workers[0]


# -- in the worker ---------------------------------------------------------------------------------------------------

_NONSENSE = "no answer at all 7301"
_EVALUATES = re.compile(r"\b(?:eval|exec|parse_expr|sympify)\(")
_CALL = re.compile(r"((?<!\w)[^\W\d]\w*+|[\])}\"'])\s*+\(")
_BEYOND_EXPRESSIONS = re.compile(r"__|\\|#|\.\s*[^\W\d]|\b(?:lambda|import|for|yield|await)\b|:=")
_FUNCTIONS = frozenset(
    words("sin cos tan sec csc cot asin acos atan sinh cosh tanh arcsin arccos arctan exp log ln sqrt abs x y z t u")
)


def scorer() -> Callable[..., dict[str, Any]]:
    """Return the function that scores answers: the factory of the worker, which it also fences in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a dependency of it compiles with SyntaxWarnings
        import reasoning_gym
        import sympy.parsing.sympy_parser  # noqa: F401 (scorers import it when they need it)
    fenced = "seccomp" in confine([path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")])

    @lru_cache(maxsize=64)
    def task_scorer(task: str, settings: str) -> Callable[..., float]:
        return reasoning_gym.create_dataset(task, **json.loads(settings)).score_answer

    @lru_cache(maxsize=4096)
    def usable(task: str, settings: str, entry: str, threshold: float) -> tuple[Any, bool]:
        """The entry in the form whose known answer passes, None where none does, and whether nonsense passes too."""
        rate, read = task_scorer(task, settings), json.loads(entry)
        for form in (read, _with_tuples(read)):
            gold = form.get("answer")
            if gold is None or _score(rate, gold, form) >= threshold:
                return form, _score(rate, _NONSENSE, form) >= threshold
        return None, False

    def score(task: str, settings: str, entry: str, answers: list[str], threshold: float) -> dict[str, Any]:
        if task not in reasoning_gym.factory.DATASETS:
            return {"problem": "unknown_task"}
        if evaluates(task, reasoning_gym.factory.DATASETS):
            if not fenced:
                return {"problem": "no sandbox"}
            answers = [answer if plain_expression(answer) else "" for answer in answers]
            if not any(answers):
                return {"problem": "unsafe_answer"}
        form, anything_passes = usable(task, settings, entry, threshold)
        if form is None:
            return {"problem": "entry_unusable"}
        if anything_passes and not any(answer.casefold() == str(form["answer"]).casefold() for answer in answers):
            return {"problem": "nonsense_passes"}
        rate = task_scorer(task, settings)
        scores = [_score(rate, answer, form) if answer else 0.0 for answer in answers]
        best = max(range(len(scores)), key=scores.__getitem__)
        return {"score": scores[best], "best": best}

    return score


def _score(rate: Callable[..., float], answer: Any, entry: Mapping[str, Any]) -> float:
    """A scorer that raises does not know this answer's form: 0."""
    try:
        return min(1.0, max(0.0, float(rate(answer=answer, entry=copy.deepcopy(entry)))))
    except MemoryError:
        raise
    except Exception:
        return 0.0


def _with_tuples(value: Any) -> Any:
    """What JSON made lists of may have been tuples, and some scorers compare with them."""
    if isinstance(value, dict):
        return {name: _with_tuples(each) for name, each in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def evaluates(task: str, tasks: Mapping[str, Any]) -> bool:
    """Whether the module of a task's scorer evaluates text anywhere."""
    module = inspect.getmodule(tasks[task][0])
    # A composite hands the answer to other tasks' scorers.
    return module is None or task == "composite" or bool(_EVALUATES.search(inspect.getsource(module)))


def plain_expression(text: str) -> bool:
    """Whether text has nothing of Python but literals, operators and functions of mathematics; else it may do something."""
    if _BEYOND_EXPRESSIONS.search(text):
        return False
    return all(match[1] in _FUNCTIONS for match in _CALL.finditer(text))
