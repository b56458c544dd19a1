"""Encoders, tokenizers, heads: what is trained and what it is kept as."""
