"""What published benchmarks say: protocols, averages, references, file formats."""
