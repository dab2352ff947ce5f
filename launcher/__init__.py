"""The development launcher: embedded servers, the supervisor of all processes, and the demo."""
