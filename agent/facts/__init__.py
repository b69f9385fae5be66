"""What a machine is: operating system, memory, adapters, power. Read fast, without starting programs."""
