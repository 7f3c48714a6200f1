"""What an order is and how it is read, named, carried and announced: pure, no AWS, no clock, no randomness."""
