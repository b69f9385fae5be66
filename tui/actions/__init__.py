"""What the console does with the fleet."""
