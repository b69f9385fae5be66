"""The files that a user edits, as shipped: a new project gets copies of them."""
