"""Adapters: where sealed bytes live."""
