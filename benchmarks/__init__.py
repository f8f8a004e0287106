"""Side-by-side measurements: `python -m benchmarks NAME`. None of them is a test."""
