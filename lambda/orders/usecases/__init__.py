"""What the system does with orders, against ports that the adapters fill."""
