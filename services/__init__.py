"""The services. Each owns its data; none imports another."""
