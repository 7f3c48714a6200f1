"""What an order is, and how it is read, named, carried and announced: no AWS, clock or randomness."""
