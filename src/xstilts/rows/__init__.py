"""Prepared rows: their columns, how raw rows become them, what must hold, what leaks, subsets."""
