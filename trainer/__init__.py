"""The training program that a run starts: text to floor plan, with accelerate and torch."""
