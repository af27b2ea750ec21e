"""Programs that a bundle carries as they are; what differs between plans lies beside them as data."""
