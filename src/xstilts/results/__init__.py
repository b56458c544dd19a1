"""Scores after they are made: rows, cells, intervals, summaries."""
