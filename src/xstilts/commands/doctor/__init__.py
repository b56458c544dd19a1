"""`xstilts doctor`: looks at the machine and every place that a study needs."""
