"""Alerts: their text, which have been sent, and where they go."""
