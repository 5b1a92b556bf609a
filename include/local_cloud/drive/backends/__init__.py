"""What a Drive starts with: a sample with the hard cases, a generated tree, or a real folder."""
