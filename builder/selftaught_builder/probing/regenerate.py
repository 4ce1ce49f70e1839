"""The endpoint verifier `regenerate`: does the rationale, without its answer and without the hint, lead a model to the answer?

After "early answering" (Lanham et al. 2023, arXiv 2307.13702): where a model gets there without the rationale as well, that it
gets there with it says nothing. It is blind to false steps that end in the right number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selftaught_builder.probing.options import RegenerateOptions, read_options
from selftaught_builder.probing.subjects import Subject
from selftaught_builder.probing.templates import load_template
from selftaught_builder.probing.verifier import EndpointVerifier, Heard, Probe, Replies
from selftaught_builder.probing.withhold import without_answer
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.prompts.prompter import Prompter
from selftaught_builder.questions import Question
from selftaught_builder.recipe import Recipe
from selftaught_verifiers import Outcome, Rationale, Verdict, get_verifier
from selftaught_verifiers import Question as Asked

UNINFORMATIVE = "uninformative"


class Regenerate(EndpointVerifier):
    """Asks for the answer with the rationale before it, and as a control without."""

    name = "regenerate"
    code_version = "1"
    needs = ("answer",)

    def __init__(self, recipe: Recipe, options: Mapping[str, Any]) -> None:
        given = read_options(self.name, RegenerateOptions, options, recipe.folder)
        self._k, self._style = given.k, recipe.prompt.style
        self._template = load_template(given.template, self.name, recipe.folder)
        self._prompter = Prompter.of(recipe.prompt, recipe.folder)
        self._answer = get_verifier("answer").configured(recipe.verifiers.get("answer", {}))
        parameters: dict[str, Any] = {"max_tokens": given.max_tokens}
        if self._style == "completion":
            parameters["stop"] = ["\n"]  # what a base model goes on with would be taken for its answer
        form = self._prompter.ask(Question("", "", "", "", "text", {}, 0)).hash
        super().__init__(recipe, given, parameters, [self._template.text, given.k, form])

    def probes(self, subject: Subject) -> list[Probe]:
        """Return the prompt with the rationale and the one without; the latter alone where the answer was all there was."""
        control = Probe(self._prompt(subject.question, ""), self._k, shared=True)
        reasoning = self._reasoning(subject)
        return [Probe(self._prompt(subject.question, reasoning), self._k), control] if reasoning else [control]

    def most(self, attempts: int, questions: int) -> int:
        """Each attempt has its replies; those without a rationale serve all attempts at a question."""
        return (attempts + min(attempts, questions)) * self._k

    def verdict(self, subject: Subject, replies: Replies) -> Verdict:
        """Pass where most replies are right with the rationale; the score is their share."""
        *asked, control = replies
        there, alone = (self._right(subject, some) for some in (asked[0] if asked else [], control))
        detail: dict[str, object] = {
            "right": there.count(True),
            "of": len(there),
            "control_right": alone.count(True),
            "control_of": len(alone),
        }
        without = f"without it {alone.count(True)} of {len(alone)}"
        if not asked:
            return Verdict(Outcome.FAIL, f"nothing is left besides the answer; {without}", score=0.0, detail=detail)
        if 2 * len(there) < self._k or 2 * len(alone) < self._k:
            return Verdict(Outcome.UNSCORABLE, "the endpoint gave no replies", detail=detail)
        score, base = there.count(True) / len(there), alone.count(True) / len(alone)
        detail |= {"gain": score - base}
        said = f"right {there.count(True)} of {len(there)}, {without}"
        if score <= 0.5:
            return Verdict(Outcome.FAIL, said, score=score, detail=detail)
        if base > 0.5:
            return Verdict(
                Outcome.PASS, f"{UNINFORMATIVE}: {said}", score=score, detail={**detail, UNINFORMATIVE: True}
            )
        return Verdict(Outcome.PASS, said, score=score, detail=detail)

    def _reasoning(self, subject: Subject) -> str:
        return without_answer(self.rationale(subject), subject.question)

    def _prompt(self, question: Question, reasoning: str) -> Prompt:
        """The question's own prompt, then the reasoning as the assistant's turn, then a request for the answer alone.

        Few servers continue a message of the assistant's; all of them take another one of the user's.
        """
        own = self._prompter.ask(question)
        *before, last = own.messages
        if own.style == "completion":
            parts = (last["content"], reasoning, self._template.call("cue", question.choices))
            return Prompt("completion", ({"role": "user", "content": " ".join(filter(None, parts))},))
        if not reasoning:
            request = self._template.call("ask_alone", question.choices)
            return Prompt("chat", (*before, {"role": "user", "content": f"{last['content']}\n\n{request}"}))
        turns = {"role": "assistant", "content": reasoning}, {"role": "user", "content": self._request(question)}
        return Prompt("chat", (*own.messages, *turns))

    def _request(self, question: Question) -> str:
        return self._template.call("ask", question.choices)

    def _right(self, subject: Subject, replies: Sequence[Heard | None]) -> list[bool]:
        """Whether each reply that arrived states the known answer."""
        question = subject.question
        asked = Asked(question.text, question.gold, question.kind, question.choices, question.meta)
        cue = self._template.call("cue", question.choices) if self._style == "completion" else ""
        said = [Rationale(f"{cue} {heard.completion}".strip(), finish_reason="stop") for heard in replies if heard]
        return [self._answer(asked, rationale).outcome is Outcome.PASS for rationale in said]
