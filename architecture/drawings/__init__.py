"""The two pictures of the architecture: what they show (backend, frontend) and how it is drawn (svg)."""
