"""xstilts: run, check and extend studies of intermediate-task training for zero-shot transfer."""

__version__ = "0.1.0"
