"""The stage `export`: write the dataset version that the policy selects."""

from __future__ import annotations

from selftaught_builder.export.version import Version, export_version
from selftaught_builder.sampling.provenance import require_run
from selftaught_builder.scope.asked_prompts import record_prompts, recover_prompts
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.result import StageResult
from selftaught_builder.stages.stage import Stage
from selftaught_builder.verification import verify


def export(context: RoundContext) -> StageResult:
    """Write the version of a round. Raises what `write_version` raises."""
    version = write_version(context)
    funnel = version.funnel
    note = f"{version.name}: {funnel.exported} rows, {funnel.rationalized_exported} of them rationalized"
    facts = {"version": version.name, "rows": funnel.exported, "kept": funnel.kept}
    return StageResult(version=version, facts=facts, notes=(note,))


def write_version(context: RoundContext) -> Version:
    """Write the version of a round, of the newest that has begun if none is named, and return it.

    The same store and recipe give the same version.

    Raises:
        PolicyError: the policy is no SQL predicate.
        NothingKeptError: it keeps nothing.
    """
    room, store = context.room, context.workspace.store
    with store.writer(), store.held():
        require_run(store, room.run)
        filter = context.filter
        record_prompts(store, room.run, room.prompter)
        scope = context.workspace.scope()
        if scope.draw_on != "recipe":
            recover_prompts(store, room)
        scope = scope.of_round(scope.last if context.number is None else context.number)
        verify(store, filter.verifiers, scope)
        return export_version(store, room, scope, filter)


STAGE = Stage("export", export)
