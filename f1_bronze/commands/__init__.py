"""The f1-bronze command, a module per subcommand.

Belongs here: what can be typed and what a person sees. Stays out: the work itself (defs/ and the
rooms behind it). Heavy imports are inside the commands, so that each starts fast.
"""
