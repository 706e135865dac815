"""Tokens: how money gets to a meter that keeps its own balance."""
