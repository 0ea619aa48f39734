"""What a network costs: parameters, floating-point operations, time, memory and file size, each measured one way."""
