"""The command line: parse, wire, call one use-case, render. Only here is anything printed."""

from __future__ import annotations

from dbops.cli.root import main

__all__ = ["main"]
