"""Sampling: which samples a store lacks, asked of the endpoints that answer, each reply journalled as it comes."""
