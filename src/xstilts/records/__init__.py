"""What a stage leaves behind beside its result: record, provenance, tracking."""
