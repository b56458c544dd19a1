"""`xstilts show`: what a run was, what came out, from what, when and where."""
