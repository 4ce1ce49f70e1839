"""Prompts: templates, few-shot rationales, and a question put in the words of both, with its answer as a hint or without."""

from selftaught_builder.prompts.form import Askable, Example, Form, Prompt
from selftaught_builder.prompts.prompter import Prompter

__all__ = ["Askable", "Example", "Form", "Prompt", "Prompter"]
