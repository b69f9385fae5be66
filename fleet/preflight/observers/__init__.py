"""How observations are made; each file asks the nodes for one kind. Nothing is judged here."""
