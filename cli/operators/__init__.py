"""What an operator sees and does: events on their way and events that failed, and the trail of his own actions."""
