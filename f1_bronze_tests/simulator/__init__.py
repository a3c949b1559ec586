"""The simulator imitates OpenF1: held to OPENF1.md, answer by answer."""
