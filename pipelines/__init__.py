"""Flows that join the model and the index. They share functions, and never call each other's commands."""
