"""The control world: made-up languages in which the right answer can be counted, from one seed.

What is hidden, and why the answer follows from it: docs/world.md.
"""
