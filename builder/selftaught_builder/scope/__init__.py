"""Scope: which of a store's attempts a recipe draws on. Versions, `status`, reports and audits all ask here."""

from selftaught_builder.scope.asked_prompts import record_prompts, recover_prompts
from selftaught_builder.scope.scope import Scope, newest_scope, scope_of
from selftaught_builder.scope.table import attach_scope, scoped

__all__ = ["Scope", "attach_scope", "newest_scope", "record_prompts", "recover_prompts", "scope_of", "scoped"]
