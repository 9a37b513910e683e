"""Decisions as pure functions over values: no await, no I/O, no clock, no third party.

What may import what is drawn in docs/DESIGN.md and enforced by import-linter.
"""
