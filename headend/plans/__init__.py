"""Intentions, written down before anything is sent: one module for each kind of them."""
