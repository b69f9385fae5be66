"""What the console shows: the fleet's state, the load of the nodes, what is kept between starts."""
