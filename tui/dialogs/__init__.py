"""Questions, forms and results over the current screen."""
