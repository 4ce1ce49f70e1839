"""Questions: rows of a source, mapped, checked, and kept out by row number and reason where they are unusable."""

from selftaught_builder.questions.load import Loaded, Question, Rejected, content_hash, load_questions

__all__ = ["Loaded", "Question", "Rejected", "content_hash", "load_questions"]
