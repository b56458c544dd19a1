"""The control world: made-up languages that talk about a closed world of facts, from one seed.

Its effect is known by construction, so the whole study can be tried, and checked, in minutes.
"""
