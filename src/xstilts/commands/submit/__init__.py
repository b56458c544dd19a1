"""A study on a cluster: its missing cells as jobs of a scheduler, judged by files of our own."""
