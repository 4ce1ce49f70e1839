"""The command `questions`."""

from __future__ import annotations

from selftaught_builder.cli.arguments import Json, Questions, RoomPath


def questions(room: RoomPath, questions: Questions = None, json: Json = False) -> None:
    """Check the question source. Reports what becomes a question and what is kept out, by row."""
    from selftaught_builder.cli.show.terminal import console, plain, show_json, show_pairs
    from selftaught_builder.questions.held_out import HELD_OUT
    from selftaught_builder.room.room import open_room

    divided = open_room(room, questions=questions).divided
    loaded = divided.training
    held_out = {"validate": len(divided.validate), "evaluate": len(divided.evaluate)}
    kinds: dict[str, int] = {}
    for question in loaded.questions:
        kinds[question.kind] = kinds.get(question.kind, 0) + 1
    if json:
        rejected = [
            {"row": problem.row, "reason": problem.reason, "detail": problem.detail} for problem in loaded.rejected
        ]
        data = {"rows": loaded.rows, "questions": len(loaded.questions), "kinds": kinds}
        show_json({**data, "held_out": held_out, "beyond_limit": loaded.beyond_limit, "rejected": rejected})
        return
    rows = [("source rows", loaded.rows), ("questions", len(loaded.questions))]
    rows += [(f"  {kind}", count) for kind, count in sorted(kinds.items())]
    rows += [(f"held out: {name}", count) for name, count in held_out.items() if count]
    problems = [problem for problem in loaded.rejected if problem.reason != HELD_OUT]
    show_pairs([*rows, ("beyond the limit", loaded.beyond_limit), ("rejected", len(problems))])
    for problem in problems[:20]:
        console.print(f"  row {problem.row}: {problem.reason}:", plain(problem.detail, limit=120))
    if len(problems) > 20:
        console.print(f"  … {len(problems) - 20} more; --json lists all")
    if loaded.questions:
        first = loaded.questions[0]
        console.print(
            "\nfirst:",
            plain(first.id, limit=60),
            f"({first.kind})",
            plain(first.text, limit=200),
            "→",
            plain(first.gold, limit=60),
        )
