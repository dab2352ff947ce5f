"""The measured operations, one function each."""
