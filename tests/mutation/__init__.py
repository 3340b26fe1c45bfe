"""Mutation testing, by ``make mutation``; see docs/mutation.md."""
