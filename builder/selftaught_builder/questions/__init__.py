"""Questions: rows of a source, mapped, checked, and kept out by row number and reason where they are unusable."""

from selftaught_builder.questions.held_out import Divided, divide_questions
from selftaught_builder.questions.load import Loaded, Question, Rejected, content_hash, load_questions

__all__ = ["Divided", "Loaded", "Question", "Rejected", "content_hash", "divide_questions", "load_questions"]
