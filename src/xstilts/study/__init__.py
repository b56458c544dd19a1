"""A study file and what it compiles to: the design of an experiment."""
