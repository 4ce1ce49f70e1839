"""Scoring: the verifiers over anyone's rows, without a store."""
