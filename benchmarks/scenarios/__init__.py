"""What is measured, one way of using FastCheck per function."""
